package main

import (
	"giftcards/jobs/transport"
	"giftcards/store"
	"giftcards/store/id"
)

type recordBounce struct{}

type printedBounce struct {
	CardID   *id.ID `json:"cardId"`
	Sequence int    `json:"sequence"`
	// Outcome is one of these:
	//
	//   - bounced: the bounce is recorded.
	//   - delayed, or another action that the mail server reports: nothing is recorded.
	//   - unknown: there is no such mail (any more), it was sent again, or its bounce is recorded already.
	//   - ignored: the input is not a report about a mail of this server.
	Outcome string `json:"outcome"`
	Bounce  string `json:"bounce"` // the reason that the mail server gave
}

// Run succeeds for every mail, because a mail server would answer a failure with yet another
// mail. It fails only if it cannot record the bounce.
func (recordBounce) Run(s *session) error {
	report, err := transport.ReadReport(s.stdin)
	card, fault := id.Parse(report.ID)
	if err != nil || fault != nil {
		return s.printJSON(printedBounce{Outcome: "ignored"})
	}
	printed := printedBounce{CardID: &card, Sequence: report.Sequence, Outcome: report.Action, Bounce: report.Reason}
	// A delayed mail may still arrive, so only a failure is a bounce.
	if report.Action != "failed" {
		return s.printJSON(printed)
	}
	return printWritten(s, func(tx *store.Tx) (printedBounce, error) {
		program, recorded, err := tx.RecordBounce(s, card, report.Sequence, report.Reason)
		if err != nil {
			return printedBounce{}, err
		}
		printed.Outcome = "unknown"
		if !recorded {
			return printed, nil
		}
		printed.Outcome = "bounced"
		return printed, s.audit(tx, store.AuditEntry{Operation: "messages bounced", ProgramID: program, Subject: card[:], Cards: 1})
	})
}

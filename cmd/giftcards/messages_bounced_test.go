package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"giftcards/store"
	"giftcards/store/id"
)

// bounced runs `giftcards messages bounced` with a mail server's report.
func (s *shop) bounced(card id.ID, sequence int, action string) (printed printedBounce) {
	s.t.Helper()
	mail := fmt.Sprintf("To: bounces+%s.%d@example.com\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"+
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nAction: %s\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n\n--b--\n", card, sequence, action)
	code, stdout, stderr := command(s.t, mail, append([]string{"messages", "bounced"}, s.settings...)...)
	if err := json.Unmarshal([]byte(stdout), &printed); err != nil || code != 0 {
		s.t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	return printed
}

// TestAMailThatComesBackIsRecorded once and listed. When the mail is sent again, the record is gone. Any
// other input is ignored.
func TestAMailThatComesBackIsRecorded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	email := "ada@example.com"
	var card id.ID
	s.write(func(tx *store.Tx) error {
		cards, err := tx.IssueCards(t.Context(), store.Terms{ProgramID: s.program.ID, InitialValue: s.value("5")}, []store.Recipient{{Email: &email}})
		if err == nil {
			card = cards[0].ID
		}
		return err
	})
	if printed := s.bounced(card, 0, "failed"); printed.Outcome != "unknown" {
		t.Errorf("before it was sent: %+v", printed)
	}
	var due *store.Due
	s.write(func(tx *store.Tx) (err error) {
		due, err = tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail}, id.ID{})
		return err
	})
	s.write(func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
	for _, c := range []struct {
		card     id.ID
		sequence int
		action   string
		outcome  string
	}{
		{card, 0, "delayed", "delayed"}, {card, 1, "failed", "unknown"}, {s.program.ID, 0, "failed", "unknown"},
		{card, 0, "failed", "bounced"}, {card, 0, "failed", "unknown"},
	} {
		if printed := s.bounced(c.card, c.sequence, c.action); printed.Outcome != c.outcome || printed.Bounce != "5.1.1 550 no such user" {
			t.Errorf("%+v: %+v", c, printed)
		}
	}
	var listed []printedMessage
	s.do(&listed, "messages", "list", "--bounced")
	if len(listed) != 1 || listed[0].CardID != card || listed[0].BouncedAt == nil || *listed[0].Bounce != "5.1.1 550 no such user" || listed[0].Status != store.MessageSent {
		t.Errorf("%+v", listed)
	}
	if n := s.count("audit_log where operation = 'messages bounced' and encode(subject, 'hex') = '" + card.String() + "' and client like '%@%'"); n != 1 {
		t.Errorf("%d bounces in the audit log, want 1", n)
	}
	var retried printedRetry
	s.do(&retried, "messages", "retry", "--sent", "--to=ada@example.net", card.String())
	if s.do(&listed, "messages", "list", "--bounced"); len(listed) != 0 {
		t.Errorf("after a retry: %+v", listed)
	}
	for _, mail := range []string{"", "To: bounces+" + card.String() + ".0@example.com\n\nI am away.\n", strings.Repeat("x", 1<<20)} {
		code, stdout, stderr := command(t, mail, append([]string{"messages", "bounced"}, s.settings...)...)
		if code != 0 || !strings.Contains(stdout, `"ignored"`) {
			t.Errorf("%.20q: %d %s%s", mail, code, stdout, stderr)
		}
	}
}

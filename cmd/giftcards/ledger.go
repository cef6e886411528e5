package main

import (
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

type ledgerCommand struct {
	Verify verifyLedger `cmd:"" help:"Compute every balance again from the entries of the ledger. Exit code 1, with the card's id, at the first card that differs."`
}

type verifyLedger struct {
	Program id.ID `placeholder:"ID" help:"Only the cards of this program."`
}

type printedLedger struct {
	Cards   int64                   `json:"cards"`
	Entries int64                   `json:"entries"`
	Balance money.Amount            `json:"balance"`
	ByType  map[string]money.Amount `json:"byType"`
}

// Run fails for a program that does not exist, because a mistyped id would look like a ledger that
// adds up.
func (c verifyLedger) Run(s *session) error {
	return printRead(s, func(tx *store.Tx) (printedLedger, error) {
		figures, err := tx.VerifyLedger(s, c.Program)
		if err == nil && !c.Program.IsZero() {
			_, err = tx.FindProgram(s, c.Program)
		}
		return printedLedger(figures), naming(c.Program.String(), err)
	})
}

package store_test

import (
	"errors"
	"strings"
	"testing"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

// issueCards issues count cards of 25.00.
func (f fixture) issueCards(t *testing.T, count int) []store.GiftCard {
	t.Helper()
	terms := f.terms(t)
	terms.InitialValue = parse(t, "25")
	return write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), terms, make([]store.Recipient, count))
	})
}

// changeCard lets do change a card in a transaction.
func (f fixture) changeCard(t *testing.T, card id.ID, do func(*store.Card) error) {
	t.Helper()
	must(t, store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(t.Context(), f.program, card)
		if err != nil {
			return err
		}
		if err := do(locked); err != nil {
			return err
		}
		return tx.SaveCards(t.Context(), locked)
	}))
}

func parse(t *testing.T, text string) money.Amount {
	t.Helper()
	amount, err := money.Parse(text)
	must(t, err)
	return amount
}

func (f fixture) verify(t *testing.T, program id.ID) (store.LedgerFigures, error) {
	t.Helper()
	return store.Read(t.Context(), f.Store, func(tx *store.Tx) (store.LedgerFigures, error) { return tx.VerifyLedger(t.Context(), program) })
}

func TestTheLedgerAddsUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cards := f.issueCards(t, 3)
	for _, card := range cards[:2] {
		f.changeCard(t, card.ID, func(c *store.Card) error { return c.Activate(nil, nil) })
	}
	f.changeCard(t, cards[0].ID, func(c *store.Card) error {
		_, err := c.Redeem(parse(t, "7.505"), store.Details{})
		return err
	})
	got, err := f.verify(t, f.program)
	must(t, err)
	if got.Cards != 2 || got.Entries != 3 || got.Balance.Cmp(parse(t, "42.495")) != 0 || got.ByType[store.EntryRedemption].Cmp(parse(t, "-7.505")) != 0 {
		t.Errorf("%+v", got)
	}
	if other, err := f.verify(t, id.New(f.Clock())); err != nil || other.Cards != 0 {
		t.Errorf("another program: %+v %v", other, err)
	}
}

// TestALedgerThatDoesNotAddUpIsFound. Only the owner of the tables can make such faults, by
// switching off the triggers that refuse them.
func TestALedgerThatDoesNotAddUpIsFound(t *testing.T) {
	t.Parallel()
	for what, fault := range map[string]struct{ sql, says string }{
		"a balance that was raised":      {"update gift_cards set balance = balance + 1 where id = $1", "its balance is 18.50, but its entries add up to 17.50"},
		"an entry that was deleted":      {"delete from ledger_entries where card_id = $1 and type = 'ACTIVATION'", "begins at 25.00, but the entries before it add up to 0.00"},
		"the last entry that is missing": {"delete from ledger_entries where card_id = $1 and type = 'REDEMPTION'", "as its last entry, but that is"},
		"an entry that was changed":      {"update ledger_entries set amount = amount + 1, balance_before = balance_before - 1 where card_id = $1 and type = 'REDEMPTION'", "begins at 24.00"},
		"a card that is gone":            {"delete from gift_cards where id = $1", "it has entries, but does not exist"},
		"a balance without entries":      {"delete from ledger_entries where card_id = $1", "as its last entry, but that is 000000000000000000000000"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			card := f.issueCards(t, 1)[0].ID
			f.changeCard(t, card, func(c *store.Card) error {
				if err := c.Activate(nil, nil); err != nil {
					return err
				}
				_, err := c.Redeem(parse(t, "7.50"), store.Details{})
				return err
			})
			must(t, store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
				for _, table := range []string{"gift_cards", "ledger_entries"} {
					if _, err := tx.Unwrap().Exec(t.Context(), "alter table "+table+" disable trigger user"); err != nil {
						return err
					}
				}
				_, err := tx.Unwrap().Exec(t.Context(), fault.sql, card)
				return err
			}))
			_, err := f.verify(t, id.ID{})
			wrong, ok := errors.AsType[*store.LedgerError](err)
			if !ok || wrong.Card != card || wrong.Program != f.program || !strings.Contains(wrong.Fault, fault.says) {
				t.Errorf("%v, want a fault of card %s that says %q", err, card, fault.says)
			}
		})
	}
}

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
	f.redeemed(t, cards[0].ID, "7.505")
	redemption := f.redeemed(t, cards[1].ID, "3")
	for range 2 {
		_, err := f.refund(t, cards[1].ID, redemption, "1.5")
		must(t, err)
	}
	commit(t, f.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCards(t.Context(), f.program, cards[0].ID, cards[1].ID)
		must(t, err)
		_, _, err = locked[0].Transfer(locked[1], id.New(f.Clock()), parse(t, "0.495"), store.Details{})
		must(t, err)
		return tx.SaveCards(t.Context(), locked...)
	})
	commit(t, f.Store, func(tx *store.Tx) error {
		_, err := tx.Consolidate(t.Context(), f.program, store.Consolidation{Cards: []id.ID{cards[0].ID, cards[1].ID}})
		return err
	})
	got, err := f.verify(t, f.program)
	must(t, err)
	if got.Cards != 3 || got.Entries != 11 || got.Balance.Cmp(parse(t, "42.495")) != 0 || got.ByType[store.EntryRedemption].Cmp(parse(t, "-10.505")) != 0 {
		t.Errorf("%+v", got)
	}
	if other, err := f.verify(t, id.New(f.Clock())); err != nil || other.Cards != 0 {
		t.Errorf("another program: %+v %v", other, err)
	}
}

// posting returns a statement that adds an entry to a card of 17.50 as a forger would, who keeps
// the chain and the balance right. card sets other columns of the card.
func posting(kind, amount, reference, card string) string {
	return `with entry as (
    insert into ledger_entries (program_id, card_id, id, type, amount, balance_before, balance_after, reference_id, created_at)
    select program_id, id, '\xffffffffffffffffffffff01', '` + kind + `', ` + amount + `, balance, balance + ` + amount + `, ` + reference + `, now()
    from gift_cards where id = $1 returning card_id, id, balance_after
) update gift_cards c set balance = e.balance_after, last_entry_id = e.id` + card + ` from entry e where c.id = e.card_id`
}

// TestALedgerThatDoesNotAddUpIsFound. Only the owner of the tables can make such faults, by
// switching off the triggers that refuse them. A fault that says "transfers" or "consolidations"
// leaves each card right in itself, so the program is named.
func TestALedgerThatDoesNotAddUpIsFound(t *testing.T) {
	t.Parallel()
	const redemption = `(select encode(id, 'hex') from ledger_entries where card_id = $1 and type = 'REDEMPTION')`
	for what, fault := range map[string]struct{ sql, says string }{
		"a balance that was raised":      {"update gift_cards set balance = balance + 1 where id = $1", "its balance is 18.50, but its entries add up to 17.50"},
		"an entry that was deleted":      {"delete from ledger_entries where card_id = $1 and type = 'ACTIVATION'", "begins at 25.00, but the entries before it add up to 0.00"},
		"the last entry that is missing": {"delete from ledger_entries where card_id = $1 and type = 'REDEMPTION'", "as its last entry, but that is"},
		"an entry that was changed":      {"update ledger_entries set amount = amount + 1, balance_before = balance_before - 1 where card_id = $1 and type = 'REDEMPTION'", "begins at 24.00"},
		"a card that is gone":            {"delete from gift_cards where id = $1", "it has entries, but does not exist"},
		"a balance without entries":      {"delete from ledger_entries where card_id = $1", "as its last entry, but that is 000000000000000000000000"},
		"entries that changed places": {`update ledger_entries e set type = o.type, amount = o.amount, balance_before = o.balance_before, balance_after = o.balance_after
			from ledger_entries o where e.card_id = $1 and o.card_id = e.card_id and o.id <> e.id`, "begins at 25.00, but the entries before it add up to 0.00"},
		"an entry in another program":         {`update ledger_entries set program_id = '\xffffffffffffffffffffffff' where card_id = $1 and type = 'REDEMPTION'`, "as its last entry, but that is"},
		"a refund above its redemption":       {posting("REFUND", "8", redemption, ""), "refunds 0.50 more of redemption"},
		"a refund of another entry":           {posting("REFUND", "1", "(select encode(last_entry_id, 'hex') || '0' from gift_cards where id = $1)", ""), "refunds a redemption that the card does not have"},
		"a refund of nothing":                 {posting("REFUND", "1", "null", ""), "refunds a redemption that the card does not have"},
		"money on a card that was not sold":   {posting("REDEMPTION", "-17.5", "null", ", activated_at = null"), "moves 25.00, but the card was never activated"},
		"money that went to no card":          {posting("TRANSFER_OUT", "-17.5", "null", ""), "its transfers add up to -17.50 instead of 0"},
		"money that came from no card":        {posting("TRANSFER_IN", "5", "null", ""), "its transfers add up to 5.00 instead of 0"},
		"a redemption that became a transfer": {"update ledger_entries set type = 'TRANSFER_OUT' where card_id = $1 and type = 'REDEMPTION'", "its transfers add up to -7.50 instead of 0"},
		"a card that was merged into nothing": {posting("CONSOLIDATION", "-17.5", "null", ", status = 'voided'"), "its consolidations add up to -17.50 instead of 0"},
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
			of := card
			if strings.HasPrefix(fault.says, "its transfers") || strings.HasPrefix(fault.says, "its consolidations") {
				of = id.ID{}
			}
			if !ok || wrong.Card != of || wrong.Program != f.program || !strings.Contains(wrong.Fault, fault.says) {
				t.Errorf("%v, want a fault of card %s that says %q", err, of, fault.says)
			}
		})
	}
}

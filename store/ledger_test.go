package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

// amount reads an amount of money.
func amount(t *testing.T, text string) money.Amount {
	t.Helper()
	read, err := money.Parse(text)
	must(t, err)
	return read
}

// refused fails the test unless the database refuses a statement of the tables' owner. The refusal
// must name the constraint, or say that the ledger is append-only if constraint is empty.
func (f fixture) refused(t *testing.T, what, constraint, statement string) {
	t.Helper()
	_, err := f.Pool().Exec(t.Context(), statement)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		t.Errorf("%s: %v, want a refusal", what, err)
	case constraint == "" && !strings.Contains(pg.Message, "append-only"), constraint != pg.ConstraintName:
		t.Errorf("%s: %s (%s), want %s", what, pg.Message, pg.ConstraintName, constraint)
	}
}

func TestTheLedgerIsAppendOnlyEvenForItsOwner(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.activated(t)
	for _, statement := range []string{
		"update ledger_entries set description = 'x'", "update ledger_entries set amount = amount", "delete from ledger_entries", "truncate ledger_entries",
		"truncate ledger_entries, gift_cards cascade",
	} {
		f.refused(t, statement, "", statement)
	}
	if n := f.count(t, "ledger_entries"); n != 1 {
		t.Errorf("the ledger has %d entries, want 1", n)
	}
}

// sqlEntry returns a statement that inserts an entry of a card.
func (f fixture) sqlEntry(card, entry id.ID, kind, before, amount, after string) string {
	return fmt.Sprintf(`insert into ledger_entries (program_id, card_id, id, type, amount, balance_before, balance_after, created_at)
		values ('\x%s', '\x%s', '\x%s', '%s', %s, %s, %s, now())`, f.program, card, entry, kind, amount, before, after)
}

// sqlBalance returns a statement that changes the balance of a card.
func sqlBalance(card, entry id.ID, balance string) string {
	return fmt.Sprintf(`update gift_cards set balance = %s, last_entry_id = '\x%s' where id = '\x%s'`, balance, entry, card)
}

// TestTheDatabaseRefusesEntriesThatTheCodeMustNeverWrite, even from the owner of the tables.
func TestTheDatabaseRefusesEntriesThatTheCodeMustNeverWrite(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.activated(t) // 25.00
	next := id.New(time.Now().Add(time.Hour))
	for _, c := range []struct{ constraint, kind, before, amount, after string }{
		{"ledger_entries_sum_check", "REDEMPTION", "25", "-1", "24.01"},
		{"ledger_entries_sum_check", "RELOAD", "25", "1", "25"},
		{"ledger_entries_balance_check", "REDEMPTION", "25", "-26", "-1"},
		{"ledger_entries_chain", "REDEMPTION", "26", "-1", "25"},
		{"ledger_entries_chain", "RELOAD", "0", "1", "1"},
		{"ledger_entries_type_check", "PURCHASE", "25", "0", "25"},
		{"ledger_entries_type_check", "GIFT", "25", "1", "26"},
		{"ledger_entries_type_check", "ACTIVATION", "25", "25", "50"},
		{"ledger_entries_type_check", "RELOAD", "25", "-1", "24"},
		{"ledger_entries_type_check", "RELOAD", "25", "0", "25"},
		{"ledger_entries_type_check", "TRANSFER_IN", "25", "-1", "24"},
		{"ledger_entries_type_check", "REDEMPTION", "25", "1", "26"},
		{"ledger_entries_type_check", "REDEMPTION", "25", "0", "25"},
		{"ledger_entries_type_check", "TRANSFER_OUT", "25", "1", "26"},
		{"ledger_entries_type_check", "VOID", "25", "1", "26"},
		{"ledger_entries_type_check", "VOID", "25", "-1", "24"},
		{"ledger_entries_type_check", "REFUND", "25", "0", "25"},
		{"ledger_entries_type_check", "REFUND", "25", "-1", "24"},
		{"ledger_entries_type_check", "CONSOLIDATION", "25", "-1", "24"},
		{"ledger_entries_type_check", "CONSOLIDATION", "25", "1", "26"},
		{"ledger_entries_type_check", "OWNERSHIP_TRANSFER", "25", "1", "26"},
		{"ledger_entries_type_check", "RESEND_CODE", "25", "-1", "24"},
	} {
		f.refused(t, fmt.Sprint(c), c.constraint, f.sqlEntry(card, next, c.kind, c.before, c.amount, c.after))
	}
	f.refused(t, "an entry before the last one", "ledger_entries_chain", f.sqlEntry(card, id.New(time.Now().Add(-time.Hour)), "REDEMPTION", "25", "-1", "24"))
	if n := f.count(t, "ledger_entries"); n != 1 {
		t.Errorf("the ledger has %d entries, want 1", n)
	}
}

// TestABalanceChangesOnlyWithItsEntries, even if the owner of the tables changes it.
func TestABalanceChangesOnlyWithItsEntries(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card, pending := f.activated(t), f.newCard(t)
	next := id.New(time.Now().Add(time.Hour))
	redeemed, follows := f.sqlEntry(card, next, "REDEMPTION", "25", "-1", "24"), f.sqlEntry(card, next.Next(), "REDEMPTION", "24", "-4", "20")
	const posted = "gift_cards_balance_is_posted"
	for what, c := range map[string]struct{ constraint, statement string }{
		"a balance without an entry":        {posted, "update gift_cards set balance = 26 where balance = 25"},
		"an entry that does not exist":      {posted, sqlBalance(card, next, "25")},
		"a pending card with a balance":     {"gift_cards_balance_needs_activation_check", fmt.Sprintf(`update gift_cards set balance = 25 where id = '\x%s'`, pending)},
		"a balance below 0":                 {"gift_cards_balance_check", "update gift_cards set balance = -1 where balance = 25"},
		"a voided card with a balance":      {"gift_cards_voided_is_empty_check", "update gift_cards set status = 'voided' where balance = 25"},
		"no last entry any more":            {posted, "update gift_cards set last_entry_id = null where balance = 25"},
		"another sum than the entry's":      {posted, redeemed + ";" + sqlBalance(card, next, "23")},
		"another sum than the two entries'": {posted, redeemed + ";" + follows + ";" + sqlBalance(card, next.Next(), "24")},
		"the last entry left out":           {posted, redeemed + ";" + follows + ";" + sqlBalance(card, next, "20")},
		"an entry after that, by an update": {"ledger_entries_chain", redeemed + ";" + sqlBalance(card, next, "24") + ";" + redeemed},
		"a card issued with a balance": {posted, fmt.Sprintf(`insert into gift_cards select (jsonb_populate_record(c, jsonb_build_object('id', '\x%s', 'card_number', 9))).*
			from gift_cards c where c.id = '\x%s'`, next, card)},
	} {
		f.refused(t, what, c.constraint, c.statement)
	}
	// The same statements with the right numbers are accepted.
	f.exec(t, redeemed+";"+follows+";"+sqlBalance(card, next.Next(), "20"))
	if n := f.count(t, "gift_cards where balance = 20"); n != 1 {
		t.Errorf("%d cards have the balance of their entries, want 1", n)
	}
}

// TestTheEntriesOfACardAscendAlthoughTheClocksOfServersDiffer: each entry follows the one before,
// and no time goes back.
func TestTheEntriesOfACardAscendAlthoughTheClocksOfServersDiffer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.activated(t)
	for _, by := range []time.Duration{0, -time.Hour, 2 * time.Hour, -3 * time.Hour, 0} {
		f.clock.Move(by)
		for range 2 {
			_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error {
				_, err := c.Redeem(amount(t, "0.001"), store.Details{})
				return err
			})
			must(t, err)
		}
	}
	// One in the same transaction after another.
	_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error {
		_, first := c.Redeem(amount(t, "1"), store.Details{})
		_, second := c.Reload(amount(t, "2"), store.Details{})
		return errors.Join(first, second)
	})
	must(t, err)
	var entries, broken int
	var sum, balance money.Amount
	must(t, f.Pool().QueryRow(t.Context(), `select count(*), count(*) filter (where balance_before <> coalesce(previous, 0) or created_at < earlier),
			sum(amount), (select max(balance) from gift_cards)
		from (select id, amount, balance_before, created_at, lag(balance_after) over w as previous, lag(created_at) over w as earlier from ledger_entries window w as (order by id)) as e`).
		Scan(&entries, &broken, &sum, &balance))
	if entries != 13 || broken != 0 || sum.Cmp(balance) != 0 || balance.String() != "25.990" {
		t.Errorf("%d entries, %d of them do not chain, sum %s, balance %s", entries, broken, sum, balance)
	}
}

package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// LedgerFigures are the sums of a ledger that adds up.
type LedgerFigures struct {
	Cards   int64                   // cards with entries
	Entries int64                   // their entries
	Balance money.Amount            // of all cards
	ByType  map[string]money.Amount // sums of the entries' amounts
}

// LedgerError says which card or program does not follow from its entries, and how.
type LedgerError struct {
	Program id.ID
	Card    id.ID  // zero: the fault is of the program as a whole
	Fault   string // a sentence for the operator
}

// Error returns a sentence for the operator that names the card and its program.
func (e *LedgerError) Error() string {
	if e.Card.IsZero() {
		return fmt.Sprintf("program %s: %s", e.Program, e.Fault)
	}
	return fmt.Sprintf("card %s of program %s: %s", e.Card, e.Program, e.Fault)
}

// VerifyLedger recomputes the balance of each card of the program, or of all programs if it
// is zero, from the card's entries. It fails with a *LedgerError at the first card whose
// entries do not chain or do not add up to its balance, that moved money before it was
// activated, or that got more refunds of a redemption than was redeemed. It also fails at the
// first program in which transfers or consolidations made or destroyed money. It reads entry by
// entry in the order of the primary key, so it needs little memory. Call it in Read, so that it
// sees one state of the database.
func (tx *Tx) VerifyLedger(ctx context.Context, program id.ID) (LedgerFigures, error) {
	rows, err := tx.tx.Query(ctx, verifyLedgerSQL, nullable(program))
	if err != nil {
		return LedgerFigures{}, fmt.Errorf("read ledger: %w", err)
	}
	v := ledgerVerifier{figures: LedgerFigures{ByType: map[string]money.Amount{}}}
	var row verifiedRow
	_, err = pgx.ForEachRow(rows, row.targets(), func() error { return v.add(&row) })
	if err == nil {
		err = v.endProgram()
	}
	return v.figures, wrap(err, "verify ledger")
}

// verifyLedgerSQL returns each entry with its card, and each card without entries that has a
// balance or names an entry. A full join, so that an entry without a card is found too.
const verifyLedgerSQL = `
select coalesce(c.program_id, e.program_id), coalesce(c.id, e.card_id), c.id is not null, c.activated_at is not null, coalesce(c.balance, 0), c.last_entry_id,
    e.id, coalesce(e.type, ''), e.reference_id, coalesce(e.amount, 0), coalesce(e.balance_before, 0), coalesce(e.balance_after, 0)
from gift_cards c full join ledger_entries e on e.program_id = c.program_id and e.card_id = c.id
where (e.id is not null or c.balance <> 0 or c.last_entry_id is not null)
    and ($1::bytea is null or coalesce(c.program_id, e.program_id) = $1)
order by 1, 2, e.id`

// verifiedRow is a row of verifyLedgerSQL.
type verifiedRow struct {
	program, card         id.ID
	exists                bool // the card does
	activated             bool
	balance               money.Amount
	last                  id.ID // the entry that the card names as its last one
	entry                 id.ID // zero: the card has none
	kind                  string
	reference             *string
	amount, before, after money.Amount
}

func (r *verifiedRow) targets() []any {
	return []any{&r.program, &r.card, &r.exists, &r.activated, &r.balance, &r.last, &r.entry, &r.kind, &r.reference, &r.amount, &r.before, &r.after}
}

// ledgerVerifier follows the entries of one card after the other.
type ledgerVerifier struct {
	figures LedgerFigures
	started bool
	card    verifiedRow  // the last row of the present card
	sum     money.Amount // of the present card's entries

	redeemed                  map[string]money.Amount // what is left to refund of each redemption of the present card
	transferred, consolidated money.Amount            // sums of the present program, which must end at 0
}

func (v *ledgerVerifier) add(row *verifiedRow) error {
	if err := v.startCard(row); err != nil {
		return err
	}
	// startCard needs the row before. This is a copy, because the next row is scanned into the same place.
	v.card = *row
	// Without an entry, the card has a balance or names an entry. endCard reports both.
	if row.entry.IsZero() {
		return nil
	}
	if row.before.Cmp(v.sum) != 0 {
		return row.fault("entry %s begins at %s, but the entries before it add up to %s", row.entry, row.before, v.sum)
	}
	if v.sum = v.sum.Add(row.amount); row.after.Cmp(v.sum) != 0 {
		return row.fault("entry %s ends at %s, but the entries up to it add up to %s", row.entry, row.after, v.sum)
	}
	// A pending card may have entries of 0, such as that of a resent code.
	if row.exists && !row.activated && !row.amount.IsZero() {
		return row.fault("entry %s moves %s, but the card was never activated", row.entry, row.amount)
	}
	v.figures.Entries++
	v.figures.ByType[row.kind] = v.figures.ByType[row.kind].Add(row.amount)
	return v.addKind(row)
}

// startCard ends the card before, if the row is of another one.
func (v *ledgerVerifier) startCard(row *verifiedRow) error {
	if v.started && row.card == v.card.card && row.program == v.card.program {
		return nil
	}
	end := v.endCard
	// At the first row endProgram finds nothing to compare.
	if row.program != v.card.program {
		end = v.endProgram
	}
	if err := end(); err != nil {
		return err
	}
	v.started, v.sum, v.redeemed = true, money.Amount{}, nil
	v.figures.Balance = v.figures.Balance.Add(row.balance)
	if !row.entry.IsZero() {
		v.figures.Cards++
	}
	return nil
}

// addKind follows what entries of one type say about others.
func (v *ledgerVerifier) addKind(row *verifiedRow) error {
	switch row.kind {
	case EntryTransferOut, EntryTransferIn:
		v.transferred = v.transferred.Add(row.amount)
	case EntryConsolidation:
		v.consolidated = v.consolidated.Add(row.amount)
	case EntryRedemption:
		if v.redeemed == nil {
			v.redeemed = map[string]money.Amount{}
		}
		v.redeemed[row.entry.String()] = row.amount.Neg()
	case EntryRefund:
		if row.amount.Sign() < 0 { // an expired card that was paid out
			return nil
		}
		left, found := money.Amount{}, false
		if row.reference != nil {
			left, found = v.redeemed[*row.reference]
		}
		if !found {
			return row.fault("entry %s refunds a redemption that the card does not have", row.entry)
		}
		if left = left.Sub(row.amount); left.Sign() < 0 {
			return row.fault("entry %s refunds %s more of redemption %s than was left of it", row.entry, left.Neg(), *row.reference)
		}
		v.redeemed[*row.reference] = left
	}
	return nil
}

// endCard compares the present card with the sum of its entries.
func (v *ledgerVerifier) endCard() error {
	switch card := &v.card; {
	case !v.started:
		return nil
	case !card.exists:
		return card.fault("it has entries, but does not exist")
	case card.last != card.entry:
		return card.fault("it names %s as its last entry, but that is %s", card.last, card.entry)
	case card.balance.Cmp(v.sum) != 0:
		return card.fault("its balance is %s, but its entries add up to %s", card.balance, v.sum)
	}
	return nil
}

// endProgram ends the present card, and compares what left cards of the program with what came
// to others.
func (v *ledgerVerifier) endProgram() error {
	if err := v.endCard(); err != nil {
		return err
	}
	switch {
	case !v.transferred.IsZero():
		return v.unequal("transfers", v.transferred)
	case !v.consolidated.IsZero():
		return v.unequal("consolidations", v.consolidated)
	}
	return nil
}

// unequal is the fault of a program whose movements from card to card made or destroyed money.
func (v *ledgerVerifier) unequal(movements string, sum money.Amount) error {
	return &LedgerError{Program: v.card.program, Fault: fmt.Sprintf("its %s add up to %s instead of 0, but they move money between its cards only", movements, sum)}
}

func (r *verifiedRow) fault(format string, values ...any) error {
	return &LedgerError{Program: r.program, Card: r.card, Fault: fmt.Sprintf(format, values...)}
}

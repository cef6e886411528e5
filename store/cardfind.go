package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// FindCard returns a card of the program of the access, with its newest entries, newest first
// and at most that many, which fit its balance. entries is nil if most is 0. It fails with
// ErrCardNotFound, or with ErrAccessChanged if token or user have changed.
func (s *Store) FindCard(ctx context.Context, access Access, card id.ID, most int) (found GiftCard, entries []Entry, err error) {
	var cards []GiftCard
	// Both statements see one state of the database, so that the entries fit the balance.
	err = s.readAs(ctx, access, func(batch *pgx.Batch) {
		batch.Queue(findCardSQL, access.Program.ID, card).Query(func(rows pgx.Rows) (err error) {
			cards, err = collectCards(rows, shownFields, 1)
			return err
		})
		if most > 0 {
			batch.Queue(listEntriesSQL, access.Program.ID, card, most).Query(func(rows pgx.Rows) (err error) {
				entries, err = collectEntries(rows)
				return err
			})
		}
	})
	switch {
	case err != nil:
		return found, nil, classify(wrap(err, "find card"))
	case len(cards) == 0:
		return found, nil, ErrCardNotFound
	}
	return cards[0], entries, nil
}

// findCardSQL and listEntriesSQL find by primary keys, without a lock.
var (
	findCardSQL    = "select " + columnsOf("g", shownFields) + " from gift_cards g where g.program_id = $1 and g.id = $2"
	listEntriesSQL = "select " + strings.Join(names(entryColumns), ", ") + " from ledger_entries where program_id = $1 and card_id = $2 order by id desc limit $3"
)

// collectEntries reads rows of entryColumns.
func collectEntries(rows pgx.Rows) ([]Entry, error) {
	entries := []Entry{}
	var e Entry
	_, err := pgx.ForEachRow(rows, []any{
		&e.ProgramID, &e.CardID, &e.ID, &e.Type, &e.Amount, &e.BalanceBefore, &e.BalanceAfter,
		&e.ReferenceID, &e.Description, &e.PosTransactionID, &e.CashierID, &e.TerminalID, &e.CreatedAt,
	}, func() error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

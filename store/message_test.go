package store_test

import (
	"slices"
	"testing"
	"time"

	"giftcards/store"
)

// TestTheCostOfAMessageDoesNotGrowWithThoseThatWait, nor with statistics that
// PostgreSQL has not made yet, as after a task's first minute.
func TestTheCostOfAMessageDoesNotGrowWithThoseThatWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	email := "ada@example.com"
	waiting, delivered := 2000, 20
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), slices.Repeat([]store.Recipient{{Email: &email}}, waiting))
	})
	for name, record := range map[string]func(*store.Tx, *store.Due) error{
		"sent":    func(tx *store.Tx, due *store.Due) error { return tx.MessageSent(t.Context(), due) },
		"refused": func(tx *store.Tx, due *store.Due) error { return tx.MessageRefused(t.Context(), due, "no") },
		"deferred": func(tx *store.Tx, due *store.Due) error {
			return tx.MessageDeferred(t.Context(), due, "not now", false)
		},
		"released": func(tx *store.Tx, due *store.Due) error { return tx.MessageReleased(t.Context(), due) },
	} {
		looked := write(t, f.Store, func(tx *store.Tx) (int, error) {
			before := messagesRead(t, tx)
			for range delivered { // more than PostgreSQL tries before it settles on a plan
				due, err := tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail}, time.Minute)
				must(t, err)
				must(t, record(tx, due))
			}
			return messagesRead(t, tx) - before, nil
		})
		if most := 10 * delivered; looked < delivered || looked > most {
			t.Errorf("%s: %d rows read for %d messages, of %d that wait; want at most %d", name, looked, delivered, waiting, most)
		}
	}
}

// messagesRead counts the rows of messages that the transaction's connection has
// read, since PostgreSQL last took its counters.
func messagesRead(t *testing.T, tx *store.Tx) (rows int) {
	t.Helper()
	must(t, tx.Unwrap().QueryRow(t.Context(), `
		select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'messages'`).Scan(&rows))
	return rows
}

package store_test

import (
	"slices"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// TestTheCostOfAMessageDoesNotGrowWithThoseThatWait, even in the first minute of a task, when
// PostgreSQL has no statistics yet.
func TestTheCostOfAMessageDoesNotGrowWithThoseThatWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	email := "ada@example.com"
	waiting, delivered := 2000, 20
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), slices.Repeat([]store.Recipient{{Email: &email}}, waiting))
	})
	for name, record := range map[string]func(*store.Tx, *store.Due) error{
		"sent":    func(tx *store.Tx, due *store.Due) error { return tx.RecordSent(t.Context(), due) },
		"refused": func(tx *store.Tx, due *store.Due) error { return tx.RecordRefused(t.Context(), due, "no") },
		"deferred": func(tx *store.Tx, due *store.Due) error {
			return tx.RecordDeferred(t.Context(), due, "not now", false)
		},
		"released": func(tx *store.Tx, due *store.Due) error { return tx.ReleaseMessage(t.Context(), due) },
	} {
		looked := write(t, f.Store, func(tx *store.Tx) (int, error) {
			before := messagesRead(t, tx)
			for range delivered { // more often than PostgreSQL makes a new plan
				due, err := tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail}, id.ID{})
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

// messagesRead returns the number of rows of messages that the transaction's connection has read.
// The counter begins when PostgreSQL last collected it.
func messagesRead(t *testing.T, tx *store.Tx) (rows int) {
	t.Helper()
	must(t, tx.Unwrap().QueryRow(t.Context(), `
		select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'messages'`).Scan(&rows))
	return rows
}

// TestARetryChangesNoMessageThatIsBeingSent. It retries messages that failed or wait for another
// attempt and, if asked to, messages that were sent.
func TestARetryChangesNoMessageThatIsBeingSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	later := f.Clock().Add(time.Hour)
	claimed := func(card store.GiftCard, record func(*store.Tx, *store.Due) error) {
		commit(t, f.Store, func(tx *store.Tx) error {
			due, err := tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail}, id.ID{})
			if err != nil || due == nil || due.CardID != card.ID {
				t.Fatalf("claimed %v (%v)", due, err)
			}
			return record(tx, due)
		})
	}
	failed, sent, deferred, sending := f.addressed(t, nil), f.addressed(t, nil), f.addressed(t, nil), f.addressed(t, nil)
	claimed(failed, func(tx *store.Tx, due *store.Due) error { return tx.RecordRefused(t.Context(), due, "no") })
	claimed(sent, func(tx *store.Tx, due *store.Due) error { return tx.RecordSent(t.Context(), due) })
	claimed(deferred, func(tx *store.Tx, due *store.Due) error {
		due.Attempts = 5 // a pause longer than a lease
		_, err := tx.Unwrap().Exec(t.Context(), "update messages set attempts = 5 where card_id = $1", due.CardID)
		must(t, err)
		return tx.RecordDeferred(t.Context(), due, "not now", false)
	})
	claimed(sending, func(*store.Tx, *store.Due) error { return nil })
	planned := f.addressed(t, &later)
	retry := func(which store.Retry, cards ...id.ID) []id.ID {
		return write(t, f.Store, func(tx *store.Tx) ([]id.ID, error) { return tx.RetryMessages(t.Context(), cards, which) })
	}
	if got := retry(store.RetryFailed); !slices.Equal(got, []id.ID{failed.ID, deferred.ID}) {
		t.Errorf("of all, %v were retried, want %v", got, []id.ID{failed.ID, deferred.ID})
	}
	if got := retry(store.RetryFailed, sent.ID, sending.ID, planned.ID); len(got) != 0 {
		t.Errorf("%v were retried, though sent, being sent or not yet due", got)
	}
	if got := retry(store.RetrySent, sent.ID, sending.ID); !slices.Equal(got, []id.ID{sent.ID}) {
		t.Errorf("%v were sent again, want %v", got, sent.ID)
	}
	if n := f.count(t, "messages where status = 'scheduled' and next_attempt_at <= now()"); n != 3 {
		t.Errorf("%d messages are due, want 3", n)
	}
}

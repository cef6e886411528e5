package store_test

import (
	"slices"
	"testing"
	"time"

	"giftcards/store"
)

// waiting returns the entry that matches.
func waiting(t *testing.T, all []store.Waiting, is func(store.Waiting) bool) store.Waiting {
	t.Helper()
	i := slices.IndexFunc(all, is)
	if i < 0 {
		t.Fatalf("not in %+v", all)
	}
	return all[i]
}

func TestTheBacklogIsWhatWaits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	backlog := func() store.Backlog {
		b, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) (store.Backlog, error) { return tx.Backlog(t.Context()) })
		must(t, err)
		return b
	}
	empty := backlog()
	if len(empty.Tasks) != 2 || len(empty.Messages) != len(store.Lanes) || len(empty.Jobs) != 2 || empty.Jobs[0].State != "available" {
		t.Errorf("nothing is told of what is empty: %+v", empty)
	}
	for _, w := range slices.Concat(empty.Jobs, empty.Tasks, empty.Messages) {
		if w.Count != 0 || w.Age != 0 {
			t.Errorf("waits in an empty database: %+v", w)
		}
	}
	if _, err := f.Pool().Exec(t.Context(), `insert into river_job (kind, queue, max_attempts, args, state, scheduled_at, finalized_at) values
		('k', 'bulk_small', 1, '{}', 'available', now() - interval '1 hour', null), ('k', 'bulk_small', 1, '{}', 'available', now(), null),
		('k', 'other', 1, '{}', 'retryable', now(), null), ('k', 'other', 1, '{}', 'completed', now(), now())`); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	address, phone := "ada@example.com", "+442079460018"
	commit(t, f.Store, func(tx *store.Tx) error {
		terms := f.terms(t)
		if _, err := tx.AddTask(t.Context(), store.Access{}, terms, 7, nil); err != nil {
			return err
		}
		if _, err := tx.IssueCards(t.Context(), terms, []store.Recipient{{Email: &address, Phone: &phone}, {Email: &address}}); err != nil {
			return err
		}
		terms.DeliverAt = &later
		_, err := tx.IssueCards(t.Context(), terms, []store.Recipient{{Email: &address}})
		return err
	})
	if _, err := f.Pool().Exec(t.Context(), `update messages set status = 'failed' where channel = 'sms'`); err != nil {
		t.Fatal(err)
	}
	full := backlog()
	if w := waiting(t, full.Jobs, func(w store.Waiting) bool { return w.Queue == store.QueueSmall }); w.State != "available" || w.Count != 2 || w.Age < 59*time.Minute {
		t.Errorf("jobs %+v", w)
	}
	if w := waiting(t, full.Jobs, func(w store.Waiting) bool { return w.Queue == "other" }); w.State != "retryable" || w.Count != 1 || len(full.Jobs) != 3 {
		t.Errorf("jobs %+v", full.Jobs)
	}
	if w := waiting(t, full.Tasks, func(w store.Waiting) bool { return w.State == store.TaskPending }); w.Count != 1 {
		t.Errorf("tasks %+v", w)
	}
	if w := waiting(t, full.Messages, func(w store.Waiting) bool { return w.Lane == store.Lane{Channel: store.ChannelEmail} }); w.Count != 2 {
		t.Errorf("mails %+v", w)
	}
	if w := waiting(t, full.Messages, func(w store.Waiting) bool { return w.Lane == store.Lane{Channel: store.ChannelSMS} }); w.Count != 0 || full.FailedMessages != 1 {
		t.Errorf("text messages %+v, %d failed", w, full.FailedMessages)
	}
}

package store_test

import (
	"slices"
	"testing"
	"time"

	"giftcards/store"
)

func (f fixture) backlog(t *testing.T) store.Backlog {
	t.Helper()
	b, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) (store.Backlog, error) { return tx.Backlog(t.Context()) })
	must(t, err)
	return b
}

// TestAnEmptyBacklogListsEveryStateAndLane with a count and an age of zero, so that their graphs
// begin at zero.
func TestAnEmptyBacklogListsEveryStateAndLane(t *testing.T) {
	t.Parallel()
	b := setup(t).backlog(t)
	if len(b.Tasks) != 2 || len(b.Messages) != len(store.Lanes) || len(b.Jobs) != 2 || b.Jobs[0].State != "available" {
		t.Errorf("got %+v, want 2 states of tasks, %d lanes and 2 queues of available jobs", b, len(store.Lanes))
	}
	for _, w := range slices.Concat(b.Jobs, b.Tasks, b.Messages) {
		if w.Count != 0 || w.Age != 0 {
			t.Errorf("waits in an empty database: %+v", w)
		}
	}
}

// TestTheBacklogCountsUnfinishedJobsTasksAndDueMessages, but no messages that have failed.
func TestTheBacklogCountsUnfinishedJobsTasksAndDueMessages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `insert into river_job (kind, queue, max_attempts, args, state, scheduled_at, finalized_at) values
		('k', 'bulk_small', 1, '{}', 'available', now() - interval '1 hour', null), ('k', 'bulk_small', 1, '{}', 'available', now(), null),
		('k', 'other', 1, '{}', 'retryable', now(), null), ('k', 'other', 1, '{}', 'completed', now(), now())`)
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
	f.exec(t, `update messages set status = 'failed' where channel = 'sms'`)
	b := f.backlog(t)
	for _, c := range []struct {
		what  string
		among []store.Waiting
		want  store.Waiting
		least time.Duration // the age of the oldest
	}{
		{"small tasks' jobs", b.Jobs, store.Waiting{Queue: store.QueueSmall, State: "available", Count: 2}, 59 * time.Minute},
		{"jobs of another queue that are tried again", b.Jobs, store.Waiting{Queue: "other", State: "retryable", Count: 1}, 0},
		{"tasks", b.Tasks, store.Waiting{State: store.TaskPending, Count: 1}, 0},
		{"mails", b.Messages, store.Waiting{Lane: store.Lane{Channel: store.ChannelEmail}, Count: 2}, 0},
		{"text messages, all of which failed", b.Messages, store.Waiting{Lane: store.Lane{Channel: store.ChannelSMS}, Count: 0}, 0},
	} {
		found := slices.IndexFunc(c.among, func(w store.Waiting) bool {
			w.Age = 0
			return w == c.want
		})
		if found < 0 || c.among[found].Age < c.least {
			t.Errorf("%s: %+v and at least %s old is not in %+v", c.what, c.want, c.least, c.among)
		}
	}
	if len(b.Jobs) != 3 || b.FailedMessages != 1 {
		t.Errorf("want 3 groups of jobs and 1 failed message: %+v", b)
	}
}

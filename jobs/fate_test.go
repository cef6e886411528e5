package jobs_test

import (
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/money"
	"giftcards/store/storetest/check"
)

// addFated adds a task with a fate and enqueues it.
func (f fixture) addFated(t *testing.T, work *jobs.Jobs, fate jobs.Fate, n int) store.Task {
	t.Helper()
	value, err := money.Parse("5")
	must(t, err)
	ctx := jobs.WithFate(t.Context(), fate)
	task, err := store.Write(ctx, f.Store, func(tx *store.Tx) (store.Task, error) {
		task, err := tx.AddTask(ctx, store.Access{}, store.Terms{ProgramID: f.program.ID, InitialValue: value}, n, nil)
		if err == nil {
			err = work.EnqueueBulkIssue(ctx, tx, task)
		}
		return task, err
	})
	must(t, err)
	return task
}

// TestASlowTaskKeepsItsTimeIfItsProcessIsKilled: a process is killed while it puts a task off. Its
// job stays in the state running, and the sweep enqueues another job.
func TestASlowTaskKeepsItsTimeIfItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	task := f.addFated(t, work, jobs.Fate{Delay: time.Hour}, 60)
	f.exec(t, "update river_job set state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = '{gone}'")
	f.run(t, work)
	check.Until(t, "another job, which is put off", func() bool {
		return f.count(t, "river_job where not 'gone' = any (coalesce(attempted_by, '{}')) and (args ->> 'not_before')::timestamptz > now() + interval '59 minutes'") == 1
	})
	if n := f.count(t, "gift_cards") + f.count(t, "bulk_tasks where status <> 'processing'"); n != 0 {
		t.Errorf("the task %s was completed at once", task.ID)
	}
}

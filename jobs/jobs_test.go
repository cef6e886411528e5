package jobs_test

import (
	"context"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/storetest/check"
)

func TestATaskAndItsJobEndTogether(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := f.ended(t, f.add(t, f.start(t), 60))
	if task.Status != store.TaskCompleted || f.count(t, "gift_cards") != 60 {
		t.Errorf("task %s with %d cards", task.Status, f.count(t, "gift_cards"))
	}
	if n := f.count(t, "river_job where state = 'completed'"); n != 1 {
		t.Errorf("%d completed jobs", n)
	}
}

// TestATaskWhoseWorkerDiedIsTakenUpAgain, whether its job stays in the state running, was given up
// or is missing.
func TestATaskWhoseWorkerDiedIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for name, death := range map[string]string{
		"killed":   `update river_job set state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = '{gone}'`,
		"given up": `update river_job set state = 'discarded', finalized_at = now()`,
		"deleted":  `delete from river_job`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			task := f.add(t, f.prepare(t), 60)
			f.exec(t, death)
			f.exec(t, `update bulk_tasks set status = 'processing', attempts = 1`)
			f.start(t)
			if task = f.ended(t, task); task.Status != store.TaskCompleted || f.count(t, "gift_cards") != 60 || task.Attempts != 2 {
				t.Errorf("task %s after %d attempts with %d cards", task.Status, task.Attempts, f.count(t, "gift_cards"))
			}
		})
	}
}

// TestATaskInWorkIsNotTakenUp, because the sweep sees the worker's row lock.
func TestATaskInWorkIsNotTakenUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.add(t, f.prepare(t), 60)
	f.exec(t, `update river_job set state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = '{busy}'`)
	tx, err := f.Pool().Begin(t.Context())
	must(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), "select from bulk_tasks for update")
	must(t, err)
	f.start(t)
	time.Sleep(300 * time.Millisecond) // enough for six sweeps
	if n := f.count(t, "river_job"); n != 1 {
		t.Errorf("%d jobs for a running task", n)
	}
}

// TestATaskThatCannotBeDoneFails with a sentence and without cards. It does not stay unfinished.
func TestATaskThatCannotBeDoneFails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := f.add(t, f.prepare(t), 60)
	f.exec(t, `update bulk_tasks set by_count = false, attempts = 7`) // now the task has no recipients, so that it fails
	f.start(t)
	task = f.ended(t, task)
	if task.Status != store.TaskFailed || task.Error == nil || f.count(t, "gift_cards") != 0 {
		t.Errorf("task %s, error %v, %d cards", task.Status, task.Error, f.count(t, "gift_cards"))
	}
}

func TestStopWaitsForWorkAndReportsNotRunning(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	if work.Running() {
		t.Error("running before the start")
	}
	must(t, work.Start(t.Context()))
	task := f.add(t, work, 5_000)
	check.Until(t, "the begin of the task", func() bool { return f.count(t, "bulk_tasks where status = 'pending'") == 0 })
	must(t, work.Stop(t.Context()))
	if work.Running() {
		t.Error("running after the stop")
	}
	if task = f.ended(t, task); task.Status != store.TaskCompleted {
		t.Errorf("task %s after an orderly stop", task.Status)
	}
}

// TestNewCardsEnterTheIndexesOfAddresses soon after the start.
func TestNewCardsEnterTheIndexesOfAddresses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	phone := "+33612345678"
	f.issueTask(t, []store.Recipient{{Phone: &phone}})
	if f.count(t, "gift_cards where not searchable") != 1 {
		t.Fatal("the card was in the indexes from the beginning")
	}
	f.start(t)
	check.Until(t, "a card in the indexes", func() bool { return f.count(t, "gift_cards where searchable") == 1 })
}

func TestExpiredKeysAndTokensAreDeleted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `insert into idempotency_keys select $1, 'o', n::text, ''::bytea, 201, ''::bytea, now() - n * interval '25 minutes' from generate_series(1, 4) n`, f.program.ID)
	f.exec(t, `insert into revoked_tokens select n::text, now() + (n - 3.5) * interval '1 hour' from generate_series(1, 4) n`)
	f.start(t)
	check.Until(t, "2 keys and 2 tokens are left", func() bool {
		return f.count(t, "idempotency_keys") == 2 && f.count(t, "revoked_tokens") == 2
	})
}

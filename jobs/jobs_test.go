package jobs_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

type fixture struct {
	*store.Store
	program store.Program
}

func setup(t *testing.T) fixture {
	t.Helper()
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(t, err)
	s, err := store.Open(t.Context(), storetest.Serving(storetest.URL(t)), store.Options{Keys: keys, MaxConns: 6})
	must(t, err)
	t.Cleanup(s.Close)
	program := storetest.AsOwner(t, s, func(tx *store.Tx) (store.Program, error) {
		merchant, err := tx.AddMerchant(t.Context(), "Merchant")
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant.ID, "Program")
	})
	return fixture{s, program}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs jobs until the test ends.
func (f fixture) start(t *testing.T) *jobs.Jobs {
	t.Helper()
	work := f.prepare(t)
	f.run(t, work)
	return work
}

func (f fixture) run(t *testing.T, work *jobs.Jobs) {
	t.Helper()
	must(t, work.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := work.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

// prepare makes jobs without starting them. change may change their options.
func (f fixture) prepare(t *testing.T, change ...func(*jobs.Options)) *jobs.Jobs {
	t.Helper()
	options := jobs.Options{
		Logger: slog.New(slog.DiscardHandler), Lifetimes: store.Lifetimes{Keys: time.Hour, Tasks: time.Hour, Messages: time.Hour, Audit: 30 * 24 * time.Hour}, SweepEvery: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&options)
	}
	work, err := jobs.New(f.Store, options)
	must(t, err)
	return work
}

// add adds a task of n cards, and enqueues it if work is not nil.
func (f fixture) add(t *testing.T, work *jobs.Jobs, n int) store.Task {
	t.Helper()
	return f.addFor(t, store.Access{}, work, n)
}

// addFor is add for a user's task.
func (f fixture) addFor(t *testing.T, access store.Access, work *jobs.Jobs, n int) store.Task {
	t.Helper()
	value, err := money.Parse("5")
	must(t, err)
	task, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.Task, error) {
		task, err := tx.AddTask(t.Context(), access, store.Terms{ProgramID: f.program.ID, InitialValue: value}, n, nil)
		if err == nil && work != nil {
			err = work.EnqueueBulkIssue(t.Context(), tx, task)
		}
		return task, err
	})
	must(t, err)
	return task
}

// issueTask adds a task and issues its cards with messages to send.
func (f fixture) issueTask(t testing.TB, recipients []store.Recipient) {
	t.Helper()
	value, err := money.Parse("5")
	must(t, err)
	err = store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		task, err := tx.AddTask(t.Context(), store.Access{}, store.Terms{ProgramID: f.program.ID, InitialValue: value}, len(recipients), recipients)
		if err != nil {
			return err
		}
		return tx.IssueTask(t.Context(), f.program.ID, task.ID, func(int) {})
	})
	must(t, err)
}

// ended waits for a task to end.
func (f fixture) ended(t *testing.T, task store.Task) store.Task {
	t.Helper()
	access := storetest.Access(t, f.Store, task.ProgramID)
	within(t, "the end of the task", func() bool {
		var err error
		task, err = f.FindTask(t.Context(), access, task.ID)
		must(t, err)
		return task.Finished()
	})
	return task
}

func (f fixture) exec(t testing.TB, sql string, arguments ...any) {
	t.Helper()
	_, err := f.Pool().Exec(t.Context(), sql, arguments...)
	must(t, err)
}

func (f fixture) count(t testing.TB, from string) (n int) {
	t.Helper()
	must(t, f.Pool().QueryRow(t.Context(), "select count(*) from "+from).Scan(&n))
	return n
}

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

// TestATaskWhoseWorkerDiedIsTakenUpAgain: its job stays in the state running, or is
// missing.
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

// TestATaskInWorkIsNotTakenUp: the sweep sees the row lock of the worker.
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
	time.Sleep(300 * time.Millisecond) // enough for a dozen sweeps
	if n := f.count(t, "river_job"); n != 1 {
		t.Errorf("%d jobs for a running task", n)
	}
}

// TestATaskThatCannotBeDoneFails with a sentence and without cards, and does not stay
// unfinished.
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
	within(t, "the begin of the task", func() bool { return f.count(t, "bulk_tasks where status = 'pending'") == 0 })
	must(t, work.Stop(t.Context()))
	if work.Running() {
		t.Error("running after the stop")
	}
	if task = f.ended(t, task); task.Status != store.TaskCompleted {
		t.Errorf("task %s after an orderly stop", task.Status)
	}
}

func TestExpiredKeysAndTokensAreDeleted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `insert into idempotency_keys select $1, 'o', n::text, ''::bytea, 201, ''::bytea, now() - n * interval '25 minutes' from generate_series(1, 4) n`, f.program.ID)
	f.exec(t, `insert into revoked_tokens select n::text, now() + (n - 3.5) * interval '1 hour' from generate_series(1, 4) n`)
	f.start(t)
	within(t, "2 keys and 2 tokens are left", func() bool {
		return f.count(t, "idempotency_keys") == 2 && f.count(t, "revoked_tokens") == 2
	})
}

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
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

// fixture is a store with one program.
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
	return fixture{s, storetest.Program(t, s)}
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
		Logger: slog.New(slog.DiscardHandler), Lifetimes: store.Lifetimes{Keys: time.Hour, Tasks: time.Hour, Messages: time.Hour, Audit: 30 * 24 * time.Hour}, SweepEvery: 50 * time.Millisecond,
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
	_, err = store.Write(t.Context(), f.Store, func(tx *store.Tx) (struct{}, error) {
		task, err := tx.AddTask(t.Context(), store.Access{}, store.Terms{ProgramID: f.program.ID, InitialValue: value}, len(recipients), recipients)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, tx.IssueTask(t.Context(), f.program.ID, task.ID, func(int) {})
	})
	must(t, err)
}

// ended waits for a task to end.
func (f fixture) ended(t *testing.T, task store.Task) store.Task {
	t.Helper()
	access := storetest.Access(t, f.Store, task.ProgramID)
	check.Until(t, "the end of the task", func() bool {
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

func (f fixture) count(t testing.TB, from string) int {
	t.Helper()
	return storetest.Count(t, f.Store, from)
}

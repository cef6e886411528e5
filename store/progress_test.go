package store_test

import (
	"testing"

	"giftcards/store"
)

// TestARunningTaskTellsHowManyOfItsCardsAreWritten to every session, before anybody sees the
// cards. When its transaction ends, by commit or by rollback, the figure is gone.
func TestARunningTaskTellsHowManyOfItsCardsAreWritten(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), f.access, f.terms(t), 10_500, nil) // two chunks
	})
	written := func() int {
		t.Helper()
		progress, err := f.ReadProgress(t.Context())
		must(t, err)
		return progress[task.ID]
	}
	run := func(fail bool) (seen []int) {
		t.Helper()
		err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
			err := tx.IssueTask(t.Context(), f.program, task.ID, func(int) { seen = append(seen, written()) })
			if fail && err == nil {
				err = store.ErrTaskBusy
			}
			return err
		})
		if (err != nil) != fail {
			t.Fatal(err)
		}
		if n := written(); n != 0 {
			t.Errorf("after the transaction %d cards are told", n)
		}
		return seen
	}
	for _, fail := range []bool{true, false} {
		if seen := run(fail); len(seen) != 2 || seen[0] != 10_000 || seen[1] != 10_500 {
			t.Errorf("told were %v", seen)
		}
	}
	// A poll shows the figure that was read last, and only for a task that runs.
	running, done := task, task
	running.Status, done.Status = store.TaskProcessing, store.TaskCompleted
	commit(t, f.Store, func(tx *store.Tx) error {
		if n := f.Written(running); n != 0 {
			t.Errorf("%d cards before anybody read the progress", n)
		}
		must(t, tx.TellProgress(t.Context(), task.ID, 4000))
		must(t, f.WatchProgress(t.Context()))
		if n := f.Written(running); n != 4000 {
			t.Errorf("%d cards, want 4000", n)
		}
		return nil
	})
	if f.Written(done) != 10_500 || f.Written(task) != 0 {
		t.Errorf("%d cards of a completed task, %d of a waiting one", f.Written(done), f.Written(task))
	}
}

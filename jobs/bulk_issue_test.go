package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// large is the smallest number of cards of a large task.
const large = 2_001

// another returns a fixture for another merchant's program in the same database.
func (f fixture) another(t *testing.T) fixture {
	t.Helper()
	return fixture{f.Store, storetest.Program(t, f.Store)}
}

// hold runs a statement and keeps its locks until release is called.
func (f fixture) hold(t *testing.T, take func(*store.Tx) error) (release func()) {
	t.Helper()
	held, done, ended := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = store.Do(context.WithoutCancel(t.Context()), f.Store, func(tx *store.Tx) error {
			held <- take(tx)
			<-done
			return pgx.ErrTxClosed // rolls back
		})
	}()
	must(t, <-held)
	return func() {
		close(done)
		<-ended
	}
}

// TestOneMerchantsTasksDoNotHoldUpAnothers: another merchant's small and large tasks run first,
// although they were added last.
func TestOneMerchantsTasksDoNotHoldUpAnothers(t *testing.T) {
	t.Parallel()
	a := setup(t)
	b := a.another(t)
	work := a.prepare(t)
	var many []store.Task
	for range 10 {
		many = append(many, a.add(t, work, large))
	}
	few := []store.Task{b.add(t, work, 51), b.add(t, work, large)}
	a.run(t, work)
	var last time.Time
	for _, task := range many {
		if end := *a.ended(t, task).CompletedAt; end.After(last) {
			last = end
		}
	}
	for _, task := range few {
		if end := *b.ended(t, task).CompletedAt; !end.Before(last) {
			t.Errorf("a task of %d cards ended at %s, the other merchant's last one at %s", task.CardCount, end, last)
		}
	}
	if n := a.count(t, "river_job"); n != len(many)+len(few) {
		t.Errorf("%d jobs for %d tasks: those that waited were taken for abandoned", n, len(many)+len(few))
	}
}

// TestALargeTaskWaitsForASlot: the wait is not an attempt, and does not delay other tasks.
func TestALargeTaskWaitsForASlot(t *testing.T) {
	t.Parallel()
	a := setup(t)
	b := a.another(t)
	release := a.hold(t, func(tx *store.Tx) error { return tx.TakeSlot(t.Context(), a.program.ID, uuid.New(), 1) })
	work := a.start(t)
	waiting := a.add(t, work, large)
	for _, task := range []store.Task{a.add(t, work, 51), b.add(t, work, large)} {
		if task = b.ended(t, task); task.Status != store.TaskCompleted {
			t.Errorf("a task of %d cards, of which nobody has a slot, is %s", task.CardCount, task.Status)
		}
	}
	check.Until(t, "a task that waits for a slot", func() bool { return a.count(t, "river_job where metadata ? 'snoozes'") > 0 })
	now, err := a.FindTask(t.Context(), storetest.Access(t, a.Store, waiting.ProgramID), waiting.ID)
	must(t, err)
	if now.Status != store.TaskPending || now.Attempts != 0 {
		t.Errorf("the task that waits is %s after %d attempts", now.Status, now.Attempts)
	}
	release()
	if waiting = a.ended(t, waiting); waiting.Status != store.TaskCompleted || waiting.Attempts != 1 {
		t.Errorf("the task that waited is %s after %d attempts", waiting.Status, waiting.Attempts)
	}
	if n := a.count(t, "river_job"); n != 3 {
		t.Errorf("%d jobs for 3 tasks", n)
	}
}

// TestTwoWorkersOfOneJobIssueOnce: River may run a rescued job again while its slow worker
// still works.
func TestTwoWorkersOfOneJobIssueOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := f.add(t, f.prepare(t), 60)
	release := f.hold(t, func(tx *store.Tx) error {
		_, err := tx.Unwrap().Exec(t.Context(), "select from bulk_tasks for update")
		return err
	})
	f.start(t)
	for attempt := 1; attempt <= 2; attempt++ {
		check.Until(t, "a worker that waits for the lock", func() bool { return f.count(t, waitingForLocks) >= attempt })
		if attempt == 1 {
			f.exec(t, "update river_job set state = 'available'")
		}
	}
	release()
	if task = f.ended(t, task); task.Status != store.TaskCompleted {
		t.Errorf("task %s", task.Status)
	}
	check.Until(t, "the end of the job", func() bool { return f.count(t, "river_job where state = 'completed'") > 0 })
	if n := f.count(t, "gift_cards"); n != 60 {
		t.Errorf("%d cards", n)
	}
}

// TestAFailedAttemptIsFollowedByAPause before the next attempt.
func TestAFailedAttemptIsFollowedByAPause(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.add(t, f.prepare(t), 60)
	f.exec(t, `update bulk_tasks set by_count = false`) // now the task has no recipients, so that it fails
	f.start(t)
	check.Until(t, "a second failed attempt", func() bool { return f.count(t, "river_job where cardinality(errors) >= 2") > 0 })
	if f.count(t, "river_job where (errors[2]->>'at')::timestamptz < (errors[1]->>'at')::timestamptz + interval '1 second'") > 0 {
		t.Error("the next attempt followed within a second")
	}
}

// TestTwoInstancesShareTheSlots of a merchant.
func TestTwoInstancesShareTheSlots(t *testing.T) {
	t.Parallel()
	f := setup(t)
	taken := f.hold(t, func(tx *store.Tx) error { return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 2) })
	defer taken()
	second := f.hold(t, func(tx *store.Tx) error { return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 2) })
	third := func() error {
		err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
			return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 2)
		})
		return err
	}
	if err := third(); !errors.Is(err, store.ErrNoSlot) {
		t.Errorf("a third slot of two: %v", err)
	}
	second()
	must(t, third())
}

// waitingForLocks selects the locks of this database for which a session waits.
const waitingForLocks = "pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()"

// inWork adds a large task. Its worker writes the cards, and then waits in its transaction until
// release is called.
func (f fixture) inWork(t *testing.T, work *jobs.Jobs) (task store.Task, release func()) {
	t.Helper()
	return f.inWorkFor(t, store.Access{}, work)
}

// inWorkFor is inWork for a user's task.
func (f fixture) inWorkFor(t *testing.T, access store.Access, work *jobs.Jobs) (task store.Task, release func()) {
	t.Helper()
	release = f.hold(t, func(tx *store.Tx) error {
		_, err := tx.Unwrap().Exec(t.Context(), "lock table task_recipients in exclusive mode")
		return err
	})
	task = f.addFor(t, access, work, large)
	check.Until(t, "a task that waits for the lock", func() bool { return f.count(t, waitingForLocks) > 0 })
	return task, release
}

// TestALargeTaskHasItsSlotWhileItsCardsAreWritten, and not only when it begins.
func TestALargeTaskHasItsSlotWhileItsCardsAreWritten(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task, release := f.inWork(t, f.start(t))
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 1)
	})
	release()
	if !errors.Is(err, store.ErrNoSlot) {
		t.Errorf("a second slot of one: %v", err)
	}
	f.ended(t, task)
}

// TestAnAttemptThatAStopCutsOffDoesNotCount, so that restarts never fail a task.
func TestAnAttemptThatAStopCutsOffDoesNotCount(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	must(t, work.Start(t.Context()))
	task, release := f.inWork(t, work)
	if n := f.count(t, "bulk_tasks where attempts = 1"); n != 1 {
		t.Error("the attempt is not counted while it lasts")
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	err := work.Stop(over)
	release()
	must(t, err)
	if n := f.count(t, "bulk_tasks where attempts = 0 and status = 'processing'"); n != 1 {
		t.Error("the attempt counts")
	}
	f.start(t)
	if task = f.ended(t, task); task.Status != store.TaskCompleted || task.Attempts != 1 {
		t.Errorf("after the restart it is %s, after %d attempts", task.Status, task.Attempts)
	}
}

// TestAMerchantsLargeTasksGoInTheOrderTheyCame, although a task looks for a slot less often the
// longer it waits. A task that pauses after a failure lets the next tasks run.
func TestAMerchantsLargeTasksGoInTheOrderTheyCame(t *testing.T) {
	t.Parallel()
	f := setup(t)
	release := f.hold(t, func(tx *store.Tx) error { return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 1) })
	work := f.prepare(t)
	failed, first := f.add(t, work, large), f.add(t, work, large)
	f.exec(t, "update river_job set state = 'retryable', attempt = 1, scheduled_at = now() + interval '1 hour' where id = (select min(id) from river_job)")
	f.exec(t, "update river_job set created_at = now() - interval '20 seconds' where id = (select max(id) from river_job)") // so that the job looks every two seconds
	f.run(t, work)
	check.Until(t, "a task that waits for a slot", func() bool { return f.count(t, "river_job where metadata ? 'snoozes'") > 0 })
	later := []store.Task{f.add(t, work, large), f.add(t, work, large)}
	release()
	end := *f.ended(t, first).CompletedAt
	for _, task := range later {
		if next := *f.ended(t, task).CompletedAt; !next.After(end) {
			t.Errorf("a task ended at %s, one that came before it at %s", next, end)
		} else {
			end = next
		}
	}
	if now, err := f.FindTask(t.Context(), storetest.Access(t, f.Store, f.program.ID), failed.ID); err != nil || now.Finished() {
		t.Errorf("the task that pauses is %s (%v)", now.Status, err)
	}
}

// TestATaskThatTakesTooLongIsGivenUpInTheEnd, because a time-out counts as an attempt.
func TestATaskThatTakesTooLongIsGivenUpInTheEnd(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.hold(t, func(tx *store.Tx) error {
		_, err := tx.Unwrap().Exec(t.Context(), "lock table gift_cards in share mode")
		return err
	})()
	work := f.prepare(t, func(o *jobs.Options) { o.TaskTimeout = 500 * time.Millisecond })
	task := f.add(t, work, 60)
	f.exec(t, "update bulk_tasks set attempts = 6") // two attempts are left
	f.run(t, work)
	if task = f.ended(t, task); task.Status != store.TaskFailed || task.Attempts != 8 {
		t.Errorf("the task is %s after %d attempts", task.Status, task.Attempts)
	}
}

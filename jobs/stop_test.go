package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

func (f fixture) do(t *testing.T, do func(*store.Tx) error) {
	t.Helper()
	storetest.AsOwner(t, f.Store, func(tx *store.Tx) (struct{}, error) { return struct{}{}, do(tx) })
}

// changes are changes of a user that stop the user's tasks.
var changes = map[string]func(context.Context, *store.Tx, string) error{
	"deactivated": func(ctx context.Context, tx *store.Tx, email string) error {
		_, err := tx.SetActive(ctx, email, false)
		return err
	},
	"deactivated and activated": func(ctx context.Context, tx *store.Tx, email string) error {
		if _, err := tx.SetActive(ctx, email, false); err != nil {
			return err
		}
		_, err := tx.SetActive(ctx, email, true)
		return err
	},
	"a reader now": func(ctx context.Context, tx *store.Tx, email string) error {
		_, err := tx.SetRole(ctx, email, store.RoleReader)
		return err
	},
	"with a new password": func(ctx context.Context, tx *store.Tx, email string) error {
		_, err := tx.SetPassword(ctx, email, "another hash")
		return err
	},
}

// wantStopped fails unless a task has ended with the sentence and without cards, and no job retries
// it.
func (f fixture) wantStopped(t *testing.T, task store.Task, sentence string) {
	t.Helper()
	task = f.ended(t, task)
	if task.Status != store.TaskFailed || task.Error == nil || *task.Error != sentence {
		t.Errorf("the task is %s, error %v, want %q", task.Status, task.Error, sentence)
	}
	check.Until(t, "the end of the job", func() bool {
		return f.count(t, "river_job where state in ('completed', 'cancelled')") == f.count(t, "river_job")
	})
	if n := f.count(t, "gift_cards"); n != 0 {
		t.Errorf("%d cards", n)
	}
	if n := f.count(t, "task_recipients") + f.count(t, "task_cancellations") + f.count(t, "messages"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

const (
	cancelledSentence = "The task was cancelled by an operator; no card was issued."
	userOutSentence   = "The user who asked for the cards may not issue them any more; no card was issued."
)

// TestATaskThatWaitsEndsWithItsUser: a waiting task issues nothing after its user was
// deactivated, and the audit log says so.
func TestATaskThatWaitsEndsWithItsUser(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			access := storetest.Access(t, f.Store, f.program.ID)
			work := f.prepare(t)
			task := f.addFor(t, access, work, 60)
			f.do(t, func(tx *store.Tx) error { return change(t.Context(), tx, access.User.Email) })
			f.run(t, work)
			f.wantStopped(t, task, userOutSentence)
			if n := f.count(t, "audit_log where operation = 'stopTask' and octet_length(subject) = 16 and client = 'worker'"); n != 1 {
				t.Errorf("%d entries in the audit log", n)
			}
		})
	}
}

// TestATaskInWorkEndsWithItsUser, although its cards are written, because they are not committed.
func TestATaskInWorkEndsWithItsUser(t *testing.T) {
	t.Parallel()
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			access := storetest.Access(t, f.Store, f.program.ID)
			task, release := f.inWorkFor(t, access, f.start(t))
			f.do(t, func(tx *store.Tx) error { return change(t.Context(), tx, access.User.Email) })
			release()
			f.wantStopped(t, task, userOutSentence)
		})
	}
}

// TestATaskDoesNotEndWithoutAReason: a logout of its user does not end it. A change of the user before
// the task does not end it either, even in the same second.
func TestATaskDoesNotEndWithoutAReason(t *testing.T) {
	t.Parallel()
	f := setup(t)
	access := storetest.Access(t, f.Store, f.program.ID)
	var err error
	f.do(t, func(tx *store.Tx) error { // the change comes after the task
		access.User, err = tx.SetPassword(t.Context(), access.User.Email, "another hash")
		return err
	})
	work := f.prepare(t)
	task := f.addFor(t, access, work, 60)
	f.do(t, func(tx *store.Tx) error { return tx.RevokeToken(t.Context(), access.TokenID, f.Clock().Add(time.Hour)) })
	f.run(t, work)
	if task = f.ended(t, task); task.Status != store.TaskCompleted || f.count(t, "gift_cards") != 60 {
		t.Errorf("the task is %s (%v), with %d cards", task.Status, task.Error, f.count(t, "gift_cards"))
	}
}

// cancel does the same as the operator's command, without the audit entry.
func (f fixture) cancel(t *testing.T, task store.Task) store.Task {
	t.Helper()
	f.request(t, task)
	ended, err := f.finish(t, task)
	must(t, err)
	return ended
}

func (f fixture) request(t *testing.T, task store.Task) {
	t.Helper()
	f.do(t, func(tx *store.Tx) error {
		_, err := tx.RequestCancellations(t.Context(), []uuid.UUID{task.ID}, id.ID{}, id.ID{})
		return err
	})
}

func (f fixture) finish(t *testing.T, task store.Task) (store.Task, error) {
	t.Helper()
	return store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.Task, error) {
		ended, err := tx.FinishCancellation(t.Context(), task.ProgramID, task.ID, time.Minute)
		if err != nil {
			return store.Task{}, err
		}
		return ended, jobs.Cancel(t.Context(), tx, ended)
	})
}

// TestCancellingATaskWinsAgainstItsWorker, although the worker's transaction has locked the task's row
// and written all cards. No job retries the task.
func TestCancellingATaskWinsAgainstItsWorker(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task, release := f.inWork(t, f.start(t))
	f.request(t, task) // the request does not wait for the worker
	finished := make(chan error, 1)
	var ended store.Task
	go func() {
		var err error
		ended, err = f.finish(t, task)
		finished <- err
	}()
	check.Until(t, "the command waits for the worker", func() bool {
		return f.count(t, "pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()") == 2
	})
	release()
	must(t, <-finished)
	if !ended.Cancelled() {
		t.Errorf("cancelled, it is %s (%v)", ended.Status, ended.Error)
	}
	f.wantStopped(t, task, cancelledSentence)
}

// TestACancelledTaskNeedsNoServer to end. A server that starts later does not begin the task.
func TestACancelledTaskNeedsNoServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	task := f.add(t, work, 60)
	if ended := f.cancel(t, task); !ended.Cancelled() {
		t.Errorf("cancelled, it is %s (%v)", ended.Status, ended.Error)
	}
	if n := f.count(t, "river_job where state = 'cancelled'"); n != 1 {
		t.Errorf("%d cancelled jobs", n)
	}
	f.run(t, work)
	f.wantStopped(t, task, cancelledSentence)
}

// TestARequestedCancellationIsEnough: after a request, the task issues no cards, even if
// the command dies or stops waiting.
func TestARequestedCancellationIsEnough(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	task := f.add(t, work, 60)
	f.request(t, task)
	f.run(t, work)
	f.wantStopped(t, task, cancelledSentence)
}

// TestACompletedTaskIsNotCancelled, and the request for it leaves nothing behind.
func TestACompletedTaskIsNotCancelled(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := f.ended(t, f.add(t, f.start(t), 60))
	if ended := f.cancel(t, task); ended.Status != store.TaskCompleted || ended.Cancelled() {
		t.Errorf("it is %s", ended.Status)
	}
	f.exec(t, "insert into task_cancellations (program_id, task_id, created_at) select program_id, id, now() from bulk_tasks") // a request that came too late
	f.cancel(t, task)
	if n := f.count(t, "task_cancellations"); n != 0 || f.count(t, "gift_cards") != 60 {
		t.Errorf("%d cancellations, %d cards", n, f.count(t, "gift_cards"))
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// TaskStoppedError means that the task must end without cards; a retry would not help.
type TaskStoppedError struct {
	// Reason is a sentence for the merchant.
	Reason string
}

// Error returns a message for the log, with the reason.
func (e *TaskStoppedError) Error() string { return "task stopped: " + e.Reason }

var (
	errTaskCancelled = &TaskStoppedError{"The task was cancelled by an operator; no card was issued."}
	errUserOut       = &TaskStoppedError{"The user who asked for the cards may not issue them any more; no card was issued."}
)

// Cancelled reports whether the task failed because an operator cancelled it.
func (t Task) Cancelled() bool { return t.Error != nil && *t.Error == errTaskCancelled.Reason }

// checkTask fails with a *TaskStoppedError if the task must not go on. It sees everything that
// was committed before the call.
func (tx *Tx) checkTask(ctx context.Context, task Task) error {
	stop, err := tx.q.FindTaskStop(ctx, task.ProgramID, task.ID)
	switch {
	case err != nil:
		return fmt.Errorf("check task: %w", err)
	case stop.Cancelled:
		return errTaskCancelled
	case !stop.Allowed:
		return errUserOut
	}
	return nil
}

// FailTask ends an unfinished task without cards, and takes its cards out of the daily limits.
// reason is a sentence for the merchant. It returns false if the task was finished before,
// and then changes nothing.
func (tx *Tx) FailTask(ctx context.Context, program id.ID, task uuid.UUID, reason string) (bool, error) {
	return tx.failTask(ctx, program, task, reason, tasksFailed)
}

// failTask is FailTask with the count to add to. Stopped tasks have their own, because they
// are not faults that an operator must look into.
func (tx *Tx) failTask(ctx context.Context, program id.ID, task uuid.UUID, reason string, kind int) (bool, error) {
	failed, err := tx.q.FailTask(ctx, db.FailTaskParams{
		ProgramID: program, ID: task, Error: reason, CompletedAt: tx.clock,
	})
	if err != nil {
		return false, fmt.Errorf("fail task: %w", err)
	}
	tx.tally[kind] += failed
	// Only if this call ended the task: otherwise its cards were given back, or issued, before.
	if failed > 0 {
		if err := tx.giveBackIssued(ctx, program, task); err != nil {
			return false, err
		}
	}
	if err := tx.q.DeleteRecipients(ctx, program, task); err != nil {
		return false, fmt.Errorf("delete recipients: %w", err)
	}
	if err := tx.q.DeleteCancellation(ctx, program, task); err != nil {
		return false, fmt.Errorf("delete cancellation: %w", err)
	}
	return failed > 0, nil
}

// StopTask ends an unfinished task with the reason of stopped, and writes an entry to the
// audit log.
func (tx *Tx) StopTask(ctx context.Context, program id.ID, task uuid.UUID, stopped *TaskStoppedError) error {
	failed, err := tx.failTask(ctx, program, task, stopped.Reason, tasksStopped)
	if err != nil || !failed {
		return err
	}
	return tx.Audit(ctx, AuditEntry{Operation: "stopTask", ProgramID: program, Subject: task[:], Client: "worker"})
}

// TaskFilter chooses the tasks that match every field that is not zero.
type TaskFilter struct {
	Status    string
	Merchant  id.ID
	User      id.ID
	OlderThan time.Duration
}

// ListedTask is a task with the merchant of its program.
type ListedTask struct {
	Task
	MerchantID id.ID
}

// Tasks returns at most limit tasks that match, the latest first.
func (tx *Tx) Tasks(ctx context.Context, f TaskFilter, limit int) ([]ListedTask, error) {
	params := db.ListTasksParams{
		MerchantID: nullable(f.Merchant), UserID: nullable(f.User), Before: tx.before(f.OlderThan), UpTo: int32(limit),
	}
	if f.Status != "" {
		params.Status = &f.Status
	}
	rows, err := tx.q.ListTasks(ctx, params)
	return each(rows, func(r db.ListTasksRow) ListedTask { return ListedTask{Task{r.BulkTask}, r.MerchantID} }), wrap(err, "list tasks")
}

// before returns the time that is age ago, nil if age is 0.
func (tx *Tx) before(age time.Duration) *time.Time {
	if age == 0 {
		return nil
	}
	before := tx.now.Add(-age)
	return &before
}

// RequestCancellations asks workers to end the named tasks without cards or, without names,
// the unfinished tasks of merchant and user (zero: any). After this transaction is
// committed, a worker sees the request before its next chunk and before its commit.
//
// It returns the unfinished tasks, and those of the named tasks that were finished before. It
// fails with ErrTaskNotFound if a named task does not exist. Call FinishCancellation for
// each returned task after the commit.
func (tx *Tx) RequestCancellations(ctx context.Context, named []uuid.UUID, merchant, user id.ID) ([]Task, error) {
	rows, err := tx.q.RequestCancellations(ctx, db.RequestCancellationsParams{
		Ids: named, MerchantID: nullable(merchant), UserID: nullable(user), Now: tx.now,
	})
	if err != nil {
		return nil, fmt.Errorf("request cancellations: %w", err)
	}
	// A misspelt id must not look like a task that is cancelled.
	found := map[uuid.UUID]bool{}
	for _, row := range rows {
		found[row.ID] = true
	}
	for _, name := range named {
		if !found[name] {
			return nil, fmt.Errorf("%w: %s", ErrTaskNotFound, name)
		}
	}
	return each(rows, func(r db.BulkTask) Task { return Task{r} }), nil
}

// ErrTaskBusy means that a worker held the task for the whole wait.
var ErrTaskBusy = errors.New("a worker has the task")

// FinishCancellation ends a task whose cancellation was requested, and returns it: failed, or
// completed if its worker was faster. It waits for the worker, and fails with ErrTaskBusy
// after that time; the worker then ends the task itself when it sees the request.
func (tx *Tx) FinishCancellation(ctx context.Context, program id.ID, task uuid.UUID, wait time.Duration) (Task, error) {
	if err := tx.q.LimitLockWait(ctx, fmt.Sprintf("%dms", wait.Milliseconds())); err != nil {
		return Task{}, fmt.Errorf("limit wait for task: %w", err)
	}
	_, err := tx.q.LockTask(ctx, program, task)
	if lockTimedOut(err) {
		return Task{}, ErrTaskBusy
	}
	if err != nil {
		return Task{}, fmt.Errorf("lock task: %w", err)
	}
	if _, err := tx.failTask(ctx, program, task, errTaskCancelled.Reason, tasksStopped); err != nil {
		return Task{}, err
	}
	// Read it again: failTask does nothing if the worker has finished the task meanwhile.
	row, err := tx.q.LockTask(ctx, program, task)
	return Task{row}, wrap(err, "read cancelled task")
}

// LimitBacklog fails with ErrBacklogFull if the unfinished tasks of the program's merchant,
// including those of this transaction, have more cards than the limit. Transactions of one
// merchant wait for each other here until they end, so call it last.
func (tx *Tx) LimitBacklog(ctx context.Context, program id.ID, cards int) error {
	if err := tx.q.LockBacklog(ctx, program); err != nil {
		return fmt.Errorf("lock backlog: %w", err)
	}
	waiting, err := tx.q.CountBacklog(ctx, program)
	switch {
	case err != nil:
		return fmt.Errorf("count backlog: %w", err)
	case waiting > int64(cards):
		return ErrBacklogFull
	}
	return nil
}

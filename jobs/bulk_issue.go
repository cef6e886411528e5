package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"giftcards/store"
	"giftcards/store/id"
)

// bulkIssueArgs name the task whose cards are to be issued; everything else is
// in the task's own rows.
type bulkIssueArgs struct {
	ProgramID id.ID     `json:"program_id"`
	TaskID    uuid.UUID `json:"task_id"`
}

// Kind is what River calls such a job. It is stored: renaming it loses jobs.
func (bulkIssueArgs) Kind() string { return "bulk_issue" }

// maxAttempts is how often a task is started before it is given up. Tasks count
// them, not River, so that an attempt that died with its process counts too.
const maxAttempts = 8

// giveUpReason is what a merchant reads of a task that was given up.
const giveUpReason = "The cards could not be issued because of a fault of the server; none was issued."

// EnqueueBulkIssue has the task's cards issued once tx is committed.
func (j *Jobs) EnqueueBulkIssue(ctx context.Context, tx *store.Tx, task store.Task) error {
	inserted, err := j.client.InsertTx(ctx, tx.Unwrap(), bulkIssueArgs{ProgramID: task.ProgramID, TaskID: task.ID}, traced(ctx))
	if err != nil {
		return fmt.Errorf("enqueue bulk issue: %w", err)
	}
	return tx.SetTaskJob(ctx, task, inserted.Job.ID)
}

type bulkIssueWorker struct {
	river.WorkerDefaults[bulkIssueArgs]
	store  *store.Store
	logger *slog.Logger
}

// NextRetry waits 1, 2, 4 … seconds, five minutes at most.
func (w *bulkIssueWorker) NextRetry(job *river.Job[bulkIssueArgs]) time.Time {
	return time.Now().Add(min(time.Second<<min(job.Attempt-1, 10), 5*time.Minute))
}

// Work issues all cards of the task, completes it and completes the job, in one
// transaction.
func (w *bulkIssueWorker) Work(ctx context.Context, job *river.Job[bulkIssueArgs]) error {
	program, task := job.Args.ProgramID, job.Args.TaskID
	attempts, err := store.Write(ctx, w.store, func(tx *store.Tx) (int, error) {
		return tx.StartTask(ctx, program, task)
	})
	if err != nil {
		return err
	}
	if attempts > maxAttempts {
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts-1)
		return giveUp(ctx, w.store, program, task)
	}
	_, err = store.Write(ctx, w.store, func(tx *store.Tx) (struct{}, error) {
		if err := tx.IssueTask(ctx, program, task); err != nil {
			return struct{}{}, err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx.Unwrap(), job)
		return struct{}{}, err
	})
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, giveBack(ctx, w.store, program, task))
	}
	if err != nil && attempts == maxAttempts {
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts, "error", err)
		return giveUp(ctx, w.store, program, task)
	}
	return err
}

// giveBack does not count an attempt that an orderly stop cut off.
func giveBack(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	_, err := store.Write(ctx, s, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.GiveBackAttempt(ctx, program, task)
	})
	return err
}

func giveUp(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	_, err := store.Write(ctx, s, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.FailTask(ctx, program, task, giveUpReason)
	})
	return err
}

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
	"github.com/riverqueue/river/rivertype"

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
	options := traced(ctx)
	options.Queue = store.QueueLarge
	if task.CardCount <= store.SmallTask {
		options.Queue = store.QueueSmall
	}
	inserted, err := j.client.InsertTx(ctx, tx.Unwrap(), bulkIssueArgs{ProgramID: task.ProgramID, TaskID: task.ID}, options)
	if err != nil {
		return fmt.Errorf("enqueue bulk issue: %w", err)
	}
	return tx.SetTaskJob(ctx, task, inserted.Job.ID)
}

// Cancel ends the job of a task in the transaction that ends the task, so that it is not
// tried again. It needs no running Jobs. A job that is gone is fine.
func Cancel(ctx context.Context, tx *store.Tx, task store.Task) error {
	if task.JobID == nil {
		return nil
	}
	client, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	if err != nil {
		return fmt.Errorf("cancel job: %w", err)
	}
	if _, err := client.JobCancelTx(ctx, tx.Unwrap(), *task.JobID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
		return fmt.Errorf("cancel job: %w", err)
	}
	return nil
}

type bulkIssueWorker struct {
	river.WorkerDefaults[bulkIssueArgs]
	store         *store.Store
	logger        *slog.Logger
	merchantTasks int
}

// NextRetry waits 1, 2, 4 … seconds, five minutes at most.
func (w *bulkIssueWorker) NextRetry(job *river.Job[bulkIssueArgs]) time.Time {
	return time.Now().Add(min(time.Second<<min(job.Attempt-1, 10), 5*time.Minute))
}

// Work issues all cards of the task, completes it and completes the job, in one
// transaction. A task whose merchant has as many running as may be waits.
func (w *bulkIssueWorker) Work(ctx context.Context, job *river.Job[bulkIssueArgs]) error {
	program, task := job.Args.ProgramID, job.Args.TaskID
	attempts, err := store.Write(ctx, w.store, func(tx *store.Tx) (int, error) {
		if err := w.takeSlot(ctx, tx, job); err != nil { // only to ask: it ends with the attempt's count
			return 0, err
		}
		return tx.StartTask(ctx, program, task)
	})
	if errors.Is(err, store.ErrNoSlot) {
		return wait(job)
	}
	if err != nil {
		return err
	}
	if attempts > maxAttempts {
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts-1)
		return giveUp(ctx, w.store, program, task)
	}
	progress := newProgress(ctx, w.logger, job)
	err = store.Do(ctx, w.store, func(tx *store.Tx) error {
		if err := w.takeSlot(ctx, tx, job); err != nil {
			return err
		}
		if err := tx.IssueTask(ctx, program, task, progress.report); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx.Unwrap(), job)
		return err
	})
	stopped, isStopped := errors.AsType[*store.TaskStoppedError](err)
	switch {
	case err == nil:
		progress.completed()
		return nil
	case isStopped: // another attempt would end in the same way
		w.logger.WarnContext(ctx, "task stopped", "task_id", task, "reason", stopped.Reason)
		return end(ctx, w.store, func(ctx context.Context, tx *store.Tx) error { return tx.StopTask(ctx, program, task, stopped) })
	case errors.Is(err, store.ErrNoSlot): // another one took it meanwhile
		return errors.Join(wait(job), giveBack(ctx, w.store, program, task))
	case errors.Is(ctx.Err(), context.Canceled): // an orderly stop; one that took too long is an attempt
		return errors.Join(err, giveBack(ctx, w.store, program, task))
	case attempts == maxAttempts:
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts, "error", err)
		return giveUp(ctx, w.store, program, task)
	}
	return err
}

// takeSlot keeps the large tasks of one merchant from taking all workers. Small
// ones are over before it matters.
func (w *bulkIssueWorker) takeSlot(ctx context.Context, tx *store.Tx, job *river.Job[bulkIssueArgs]) error {
	if job.Queue != store.QueueLarge {
		return nil
	}
	return tx.TakeSlot(ctx, job.Args.ProgramID, job.Args.TaskID, w.merchantTasks)
}

// How long a job waits for a slot before it looks again.
const shortestWait, longestWait = 250 * time.Millisecond, 10 * time.Second

// wait lets the job come back after a tenth of the time that it has waited, within
// bounds: many that wait must not keep the workers busy with looking. It is no
// attempt.
func wait(job *river.Job[bulkIssueArgs]) error {
	return river.JobSnooze(min(max(shortestWait, time.Since(job.CreatedAt)/10), longestWait))
}

// giveBack does not count an attempt that was none, or that an orderly stop cut
// off.
func giveBack(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	return end(ctx, s, func(ctx context.Context, tx *store.Tx) error { return tx.GiveBackAttempt(ctx, program, task) })
}

// end writes down how an attempt ended, also after the job's context has ended.
func end(ctx context.Context, s *store.Store, write func(context.Context, *store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	return store.Do(ctx, s, func(tx *store.Tx) error { return write(ctx, tx) })
}

// giveUp lets the task fail, also when its last attempt took too long.
func giveUp(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	return end(ctx, s, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.FailTask(ctx, program, task, giveUpReason)
		return err
	})
}

// progress tells the log how far a task is.
type progress struct {
	ctx         context.Context
	logger      *slog.Logger
	start, told time.Time
	written     int
}

// progressEvery is how often the log hears of a running task.
const progressEvery = 5 * time.Second

func newProgress(ctx context.Context, logger *slog.Logger, job *river.Job[bulkIssueArgs]) *progress {
	now := time.Now()
	return &progress{ctx: ctx, logger: logger.With("task_id", job.Args.TaskID), start: now, told: now}
}

// report notes how many cards are written by now.
func (p *progress) report(written int) {
	p.written = written
	if time.Since(p.told) >= progressEvery {
		p.told = time.Now()
		p.logger.InfoContext(p.ctx, "task running", "cards", written, "duration", time.Since(p.start))
	}
}

// completed tells of the end; a task that was finished before wrote nothing.
func (p *progress) completed() {
	if p.written > 0 {
		p.logger.InfoContext(p.ctx, "task completed", "cards", p.written, "duration", time.Since(p.start))
	}
}

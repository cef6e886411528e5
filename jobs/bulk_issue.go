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

// bulkIssueArgs names the task. Everything else is in the task's own rows.
type bulkIssueArgs struct {
	ProgramID id.ID     `json:"program_id"`
	TaskID    uuid.UUID `json:"task_id"`
	// NotBefore is when the job may begin; zero is at once. Only a sandbox sets it. River's own
	// time of a job is exact to 5 seconds.
	NotBefore time.Time `json:"not_before,omitzero"`
}

// Kind is the job's name in River's table. Renaming it would lose the jobs that are stored.
func (bulkIssueArgs) Kind() string { return "bulk_issue" }

// maxAttempts is the number of attempts before a task is given up. The task counts them
// instead of River, so that an attempt also counts if its process died.
const maxAttempts = 8

// giveUpReason is the error that a merchant reads of a task that was given up.
const giveUpReason = "The cards could not be issued because of a fault of the server; none was issued."

// EnqueueBulkIssue enqueues a job that issues the task's cards. A worker takes it after tx
// is committed.
func (j *Jobs) EnqueueBulkIssue(ctx context.Context, tx *store.Tx, task store.Task) error {
	if fate, chosen := ctx.Value(fateKey{}).(Fate); chosen {
		return j.enqueueFated(ctx, tx, task, fate)
	}
	return j.insert(ctx, tx, task, jobOf(ctx, task))
}

// taskJob is a job that is not inserted yet.
type taskJob struct {
	args    bulkIssueArgs
	options *river.InsertOpts
}

// jobOf returns the job that issues the task's cards.
func jobOf(ctx context.Context, task store.Task) taskJob {
	options := traced(ctx)
	options.Queue = store.QueueLarge
	if task.CardCount <= store.SmallTask {
		options.Queue = store.QueueSmall
	}
	return taskJob{bulkIssueArgs{ProgramID: task.ProgramID, TaskID: task.ID}, options}
}

func (j *Jobs) insert(ctx context.Context, tx *store.Tx, task store.Task, job taskJob) error {
	inserted, err := j.client.InsertTx(ctx, tx.Unwrap(), job.args, job.options)
	if err != nil {
		return fmt.Errorf("enqueue bulk issue: %w", err)
	}
	// The sweep recognizes an abandoned task by its job.
	return tx.SetTaskJob(ctx, task, inserted.Job.ID)
}

// Cancel cancels the task's job in tx, which also ends the task, so that River does not
// retry it. It needs no running Jobs. It succeeds if the job no longer exists.
func Cancel(ctx context.Context, tx *store.Tx, task store.Task) error {
	if task.JobID == nil {
		return nil
	}
	// A client without a pool can only work within a given transaction.
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

// NextRetry waits 1, 2, 4 … seconds, and at most five minutes.
func (w *bulkIssueWorker) NextRetry(job *river.Job[bulkIssueArgs]) time.Time {
	return time.Now().Add(min(time.Second<<min(job.Attempt-1, 10), 5*time.Minute))
}

// Work issues all cards of the task, and completes the task and the job in the same
// transaction. The job waits while its merchant has as many running tasks as it may have.
func (w *bulkIssueWorker) Work(ctx context.Context, job *river.Job[bulkIssueArgs]) error {
	program, task := job.Args.ProgramID, job.Args.TaskID
	if early := time.Until(job.Args.NotBefore); early > 0 {
		return river.JobSnooze(min(early, longestExactSnooze))
	}
	// The attempt is counted in a transaction of its own, so that it also counts if the
	// process dies while it issues cards. The slot is a lock of this short transaction. It
	// only keeps a job that must wait from counting an attempt.
	started, err := store.Write(ctx, w.store, func(tx *store.Tx) (store.Started, error) {
		if err := w.takeSlot(ctx, tx, job); err != nil {
			return store.Started{}, err
		}
		return tx.StartTask(ctx, program, task)
	})
	switch {
	case errors.Is(err, store.ErrNoSlot):
		return wait(job)
	case errors.Is(err, store.ErrTaskNotFound): // a sandbox has deleted its world
		return nil
	case err != nil:
		return err
	}
	attempts := started.Attempts
	// The process of the last attempt has died, so that nobody has given the task up yet.
	if attempts > maxAttempts {
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts-1)
		return giveUp(ctx, w.store, program, task)
	}
	progress := newProgress(ctx, w.logger, job, started.Cards)
	// This transaction takes the slot again and holds it until the cards are committed.
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
	case errors.Is(err, store.ErrTaskNotFound): // the same, meanwhile
		return nil
	case isStopped: // another attempt would end in the same way
		w.logger.WarnContext(ctx, "task stopped", "task_id", task, "reason", stopped.Reason)
		return end(ctx, w.store, func(ctx context.Context, tx *store.Tx) error { return tx.StopTask(ctx, program, task, stopped) })
	case errors.Is(err, store.ErrNoSlot): // another task took the slot between the two transactions
		return errors.Join(wait(job), giveBack(ctx, w.store, program, task))
	case errors.Is(ctx.Err(), context.Canceled): // an orderly stop; a time-out counts as an attempt
		return errors.Join(err, giveBack(ctx, w.store, program, task))
	case attempts == maxAttempts:
		w.logger.ErrorContext(ctx, "task given up", "task_id", task, "attempts", attempts, "error", err)
		return giveUp(ctx, w.store, program, task)
	}
	return err
}

// takeSlot keeps one merchant's large tasks from occupying all workers. Small tasks need
// no slot, because they end within a moment.
func (w *bulkIssueWorker) takeSlot(ctx context.Context, tx *store.Tx, job *river.Job[bulkIssueArgs]) error {
	if job.Queue != store.QueueLarge {
		return nil
	}
	return tx.TakeSlot(ctx, job.Args.ProgramID, job.Args.TaskID, w.merchantTasks)
}

// Bounds of the pause before a job looks for a slot again.
const shortestWait, longestWait = 250 * time.Millisecond, 10 * time.Second

// longestExactSnooze is shorter than the 5 seconds above which River wakes jobs in groups.
const longestExactSnooze = 4 * time.Second

// wait snoozes the job for a tenth of the time that it has waited, within bounds. The
// pause grows, so that many waiting jobs do not occupy the workers. River does not count a
// snooze as an attempt.
func wait(job *river.Job[bulkIssueArgs]) error {
	return river.JobSnooze(min(max(shortestWait, time.Since(job.CreatedAt)/10), longestWait))
}

// giveBack takes an attempt off the count, because the task had no slot or an orderly stop
// interrupted it.
func giveBack(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	return end(ctx, s, func(ctx context.Context, tx *store.Tx) error { return tx.GiveBackAttempt(ctx, program, task) })
}

// end records the end of an attempt. It works after the job's context has ended.
func end(ctx context.Context, s *store.Store, write func(context.Context, *store.Tx) error) error {
	// A stop or a time-out has ended the job's context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	return store.Do(ctx, s, func(tx *store.Tx) error { return write(ctx, tx) })
}

// giveUp marks the task as failed.
func giveUp(ctx context.Context, s *store.Store, program id.ID, task uuid.UUID) error {
	return end(ctx, s, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.FailTask(ctx, program, task, giveUpReason)
		return err
	})
}

// progress logs how many of its cards a running task has written.
type progress struct {
	ctx             context.Context
	logger          *slog.Logger
	start, loggedAt time.Time
	written, wanted int
}

// progressEvery is the time between two log lines of a running task.
const progressEvery = 5 * time.Second

func newProgress(ctx context.Context, logger *slog.Logger, job *river.Job[bulkIssueArgs], wanted int) *progress {
	now := time.Now()
	return &progress{ctx: ctx, logger: logger.With("task_id", job.Args.TaskID), start: now, loggedAt: now, wanted: wanted}
}

// report is called with the number of cards written so far.
func (p *progress) report(written int) {
	p.written = written
	if time.Since(p.loggedAt) >= progressEvery {
		p.loggedAt = time.Now()
		p.logger.InfoContext(p.ctx, "task running", "cards", written, "wanted", p.wanted, "duration", time.Since(p.start))
	}
}

// completed logs the end. A task that another attempt had finished wrote nothing and is
// not logged again.
func (p *progress) completed() {
	if p.written > 0 {
		p.logger.InfoContext(p.ctx, "task completed", "cards", p.written, "duration", time.Since(p.start))
	}
}

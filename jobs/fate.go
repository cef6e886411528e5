package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
)

// This file is what a sandbox asks of the jobs for one task. Nobody else makes such a context.

// Fate is how a task goes, whatever the server does. It is written with the task, so it holds
// on every instance and after a restart.
type Fate struct {
	Fails  bool          // ends failed, as a task whose attempts have all failed
	Sticks bool          // stays in progress until Release
	Delay  time.Duration // is in progress for at least so long before it is completed
}

type fateKey struct{}

// WithFate returns a context in which EnqueueBulkIssue gives its task this fate.
func WithFate(ctx context.Context, fate Fate) context.Context {
	return context.WithValue(ctx, fateKey{}, fate)
}

// enqueueFated is EnqueueBulkIssue for a task with a fate.
func (j *Jobs) enqueueFated(ctx context.Context, tx *store.Tx, task store.Task, fate Fate) error {
	if fate.Fails {
		_, err := tx.FailTask(ctx, task.ProgramID, task.ID, giveUpReason)
		return err
	}
	// A poll must show it in progress from the start. No attempt has begun.
	if _, err := tx.StartTask(ctx, task.ProgramID, task.ID); err != nil {
		return err
	}
	if err := tx.GiveBackAttempt(ctx, task.ProgramID, task.ID); err != nil {
		return err
	}
	job := jobOf(ctx, task)
	if fate.Sticks {
		// A job that is scheduled keeps the sweep from making another one. It is not in the
		// queue of large tasks, because others of the merchant would wait for it there.
		job.options.Queue, job.options.ScheduledAt = store.QueueSmall, store.Never
	} else {
		job.args.NotBefore = time.Now().Add(fate.Delay)
	}
	return j.insert(ctx, tx, task, job)
}

// Release lets a task that sticks go on, and returns it. It fails with
// store.ErrTaskNotFound, or with store.ErrTaskNotStuck if the task does not stick.
func (j *Jobs) Release(ctx context.Context, taskID uuid.UUID) (store.Task, error) {
	return store.Write(ctx, j.store, func(tx *store.Tx) (store.Task, error) {
		task, err := tx.LockStuckTask(ctx, taskID)
		if err != nil {
			return store.Task{}, err
		}
		if err := Cancel(ctx, tx, task); err != nil {
			return store.Task{}, err
		}
		return task, j.EnqueueBulkIssue(ctx, tx, task)
	})
}

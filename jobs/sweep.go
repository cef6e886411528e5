package jobs

import (
	"context"
	"time"

	"giftcards/store"
)

const (
	sweepBatch   = 100
	cleanEvery   = time.Hour
	cleanBatch   = 10_000
	indexEvery   = time.Minute // until then, 1,000 new cards make a search 1.6 ms slower
	indexBatch   = 1000
	eraseBatch   = 1000 // a till waits for the end of such a transaction
	sweepTimeout = time.Minute
	watchEvery   = time.Second
)

// work is done from time to time, and no request asks for it. Every instance does it; row locks keep
// instances that write apart.
type work struct {
	name string
	do   func(context.Context) error
}

// every does works one after the other, at once and then at each interval, until ctx ends. Works that
// must not wait for each other have an every of their own.
func (j *Jobs) every(ctx context.Context, interval time.Duration, works ...work) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		for _, w := range works {
			if err := w.do(ctx); err != nil && ctx.Err() == nil {
				j.options.Logger.WarnContext(ctx, "periodic work failed", "work", w.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchProgress reads how far running tasks are while somebody polls them. After a fault, polls show
// the numbers of the time before.
func (j *Jobs) watchProgress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return j.store.WatchProgress(ctx)
}

// enqueueAbandoned enqueues a new job for each task whose worker has died.
func (j *Jobs) enqueueAbandoned(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return store.Do(ctx, j.store, func(tx *store.Tx) error {
		tasks, err := tx.AbandonedTasks(ctx, sweepBatch)
		if err != nil {
			return err
		}
		for _, task := range tasks {
			job := jobOf(ctx, task.Task)
			// A process may be killed while it puts off a slow task of a sandbox.
			if task.NotBefore.After(time.Now()) {
				job.args.NotBefore = task.NotBefore
			}
			if err := j.insert(ctx, tx, task.Task, job); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteExpired deletes expired rows in small transactions, so that each holds its locks
// only for a moment.
func (j *Jobs) deleteExpired(ctx context.Context) error {
	return j.untilNone(ctx, func(ctx context.Context, tx *store.Tx) (int64, error) {
		return tx.DeleteExpired(ctx, j.options.Lifetimes, cleanBatch)
	})
}

// makeSearchable puts new cards into the index of texts. A card that was changed before is in it
// already, because each change puts it there.
func (j *Jobs) makeSearchable(ctx context.Context) error {
	return j.untilNone(ctx, func(ctx context.Context, tx *store.Tx) (int64, error) { return tx.MakeSearchable(ctx, indexBatch) })
}

// recountCards counts the cards that a server of an older version has issued beside this one.
func (j *Jobs) recountCards(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	wrong, err := store.Write(ctx, j.store, func(tx *store.Tx) (int64, error) { return tx.RecountCards(ctx) })
	if wrong > 0 {
		j.options.Logger.InfoContext(ctx, "totals of cards set right", "programs", wrong)
	}
	return err
}

// eraseEnded erases the recipients of cards that ended long ago, if their program wants it.
func (j *Jobs) eraseEnded(ctx context.Context) error {
	return j.untilNone(ctx, func(ctx context.Context, tx *store.Tx) (int64, error) { return tx.EraseEnded(ctx, eraseBatch) })
}

// untilNone runs do for one batch after another, each in a transaction of its own, until a
// batch has no rows.
func (j *Jobs) untilNone(ctx context.Context, do func(context.Context, *store.Tx) (int64, error)) error {
	for {
		// Each batch gets a time limit of its own.
		batch, cancel := context.WithTimeout(ctx, sweepTimeout)
		rows, err := store.Write(batch, j.store, func(tx *store.Tx) (int64, error) { return do(batch, tx) })
		cancel()
		if err != nil || rows == 0 {
			return err
		}
	}
}

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

// sweep does the work that no request asks for, each at its own interval, until ctx ends. The
// first time of each is right after the start. Every instance sweeps; row locks keep the instances
// apart.
func (j *Jobs) sweep(ctx context.Context) {
	tick := time.NewTicker(j.options.SweepEvery)
	defer tick.Stop()
	works := []struct {
		what  string
		every time.Duration
		do    func(context.Context) error
		last  time.Time
	}{
		{what: "looking for abandoned tasks", do: j.enqueueAbandoned},
		{what: "deleting expired rows", every: cleanEvery, do: j.deleteExpired},
		{what: "recounting cards", every: cleanEvery, do: j.recountCards},
		{what: "erasing recipients of ended cards", every: cleanEvery, do: j.eraseEnded},
	}
	for {
		for i := range works {
			work := &works[i]
			if time.Since(work.last) < work.every {
				continue
			}
			work.last = time.Now()
			if err := work.do(ctx); err != nil && ctx.Err() == nil {
				j.options.Logger.WarnContext(ctx, "a work of the sweep failed", "work", work.what, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watch reads how far running tasks are while somebody polls them, until ctx ends.
func (j *Jobs) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, sweepTimeout)
		// After a fault, polls show the numbers of the time before.
		if err := j.store.WatchProgress(limited); err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "reading the progress of tasks failed", "error", err)
		}
		cancel()
	}
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

// index puts new cards into the index of texts, every minute until ctx ends. A card that was
// changed before is in it already, because each change puts it there. It is no part of sweep,
// because a million cards take minutes, and abandoned tasks must not wait for them.
func (j *Jobs) index(ctx context.Context) {
	tick := time.NewTicker(indexEvery)
	defer tick.Stop()
	for {
		err := j.untilNone(ctx, func(ctx context.Context, tx *store.Tx) (int64, error) { return tx.MakeSearchable(ctx, indexBatch) })
		if err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "making cards searchable failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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

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
	sweepTimeout = time.Minute
)

// sweep takes up abandoned tasks again, and now and then deletes what expired,
// until ctx ends. Every instance does so; the rows it works on are locked.
func (j *Jobs) sweep(ctx context.Context) {
	tick := time.NewTicker(j.options.SweepEvery)
	defer tick.Stop()
	var cleaned time.Time
	for {
		if err := j.takeUpAbandoned(ctx); err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "sweep failed", "error", err)
		}
		if time.Since(cleaned) >= cleanEvery {
			cleaned = time.Now()
			if err := j.deleteExpired(ctx); err != nil && ctx.Err() == nil {
				j.options.Logger.WarnContext(ctx, "clean-up failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// takeUpAbandoned enqueues a new job for each task whose worker died.
func (j *Jobs) takeUpAbandoned(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return store.Do(ctx, j.store, func(tx *store.Tx) error {
		tasks, err := tx.AbandonedTasks(ctx, sweepBatch)
		if err != nil {
			return err
		}
		for _, task := range tasks {
			if err := j.EnqueueBulkIssue(ctx, tx, task); err != nil {
				return err
			}
		}
		return nil
	})
}

func (j *Jobs) deleteExpired(ctx context.Context) error {
	for {
		batch, cancel := context.WithTimeout(ctx, sweepTimeout)
		deleted, err := store.Write(batch, j.store, func(tx *store.Tx) (int64, error) {
			return tx.DeleteExpired(batch, j.options.Lifetimes, cleanBatch)
		})
		cancel()
		if err != nil || deleted == 0 {
			return err
		}
	}
}

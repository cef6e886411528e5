package jobs

import (
	"context"
	"time"

	"giftcards/store"
)

const (
	resealBatch   = 500 // cards, which are locked for some milliseconds
	resealBatches = 10  // every SweepEvery, which is 2,500 cards a second by default
)

// reseal seals codes with the newest key after a rotation, until ctx ends. Every instance
// tries; a lock in the database lets one work at a time.
func (j *Jobs) reseal(ctx context.Context) {
	tick := time.NewTicker(j.options.SweepEvery)
	defer tick.Stop()
	var finished uint32 // the newest key for which all codes are resealed
	for {
		if key := j.store.CodeKey(); key != finished {
			step, err := j.resealSome(ctx)
			if err != nil && ctx.Err() == nil {
				j.options.Logger.WarnContext(ctx, "resealing codes failed", "error", err)
			}
			if step == store.ResealOver {
				finished = key
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (j *Jobs) resealSome(ctx context.Context) (step store.ResealStep, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	for range resealBatches {
		step, err = store.Write(ctx, j.store, func(tx *store.Tx) (store.ResealStep, error) { return tx.Reseal(ctx, resealBatch) })
		// A step other than ResealMore means that nothing is left, or that another instance
		// works.
		if err != nil || step != store.ResealMore {
			break
		}
	}
	return step, err
}

package jobs

import (
	"context"
	"time"

	"giftcards/store"
)

const (
	// resealBatch cards are locked for some milliseconds; resealBatches of them are
	// looked at every time that abandoned tasks are: 2,500 cards a second.
	resealBatch   = 500
	resealBatches = 10
)

// reseal seals codes anew after the keys were rotated, until ctx ends. Every
// instance tries to; the database lets one at a time.
func (j *Jobs) reseal(ctx context.Context) {
	tick := time.NewTicker(j.options.SweepEvery)
	defer tick.Stop()
	var finished uint32 // with this key nothing is left to do
	for {
		if key := j.store.CodeKey(); key != finished {
			step, err := j.resealSome(ctx)
			if err != nil && ctx.Err() == nil {
				j.options.Logger.WarnContext(ctx, "codes were not sealed anew", "error", err)
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
		if err != nil || step != store.ResealMore {
			break
		}
	}
	return step, err
}

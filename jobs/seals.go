package jobs

import (
	"context"
	"time"

	"giftcards/store"
)

const (
	sealsEvery     = 10 * time.Second
	lastSeals      = 2 * time.Second // to write the last ones down, while the server stops
	warnSealsEvery = time.Hour
)

// countSeals writes down how many codes the keys have sealed, until ctx ends and
// once more then. It warns while the newest key has sealed too many.
func (j *Jobs) countSeals(ctx context.Context) {
	tick := time.NewTicker(sealsEvery)
	defer tick.Stop()
	var warned time.Time
	save := func(ctx context.Context, timeout time.Duration) {
		sealed, err := j.saveSeals(ctx, timeout)
		if err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "seals of the keys were not counted", "error", err)
		}
		if sealed >= store.CodeKeyLimit && time.Since(warned) >= warnSealsEvery {
			warned = time.Now()
			j.options.Logger.WarnContext(ctx, "the newest key has sealed so many codes that it should be replaced: run giftcards keys rotate", "key", j.store.CodeKey(), "sealed", sealed)
		}
	}
	for {
		save(ctx, sweepTimeout)
		select {
		case <-ctx.Done():
			save(context.WithoutCancel(ctx), lastSeals)
			return
		case <-tick.C:
		}
	}
}

func (j *Jobs) saveSeals(ctx context.Context, timeout time.Duration) (newest int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return j.store.SaveKeyUses(ctx)
}

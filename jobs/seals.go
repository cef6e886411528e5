package jobs

import (
	"context"
	"time"

	"giftcards/store"
)

const (
	sealsEvery     = 10 * time.Second
	lastSeals      = 2 * time.Second // to save the last counts while the server stops
	warnSealsEvery = time.Hour
)

// countSeals saves the number of codes that each key has sealed, until ctx ends and then
// once more. It warns every hour after the newest key has reached store.CodeKeyLimit.
func (j *Jobs) countSeals(ctx context.Context) {
	tick := time.NewTicker(sealsEvery)
	defer tick.Stop()
	var warned time.Time
	// save is called with other time limits by the ticker and by the stop.
	save := func(ctx context.Context, timeout time.Duration) {
		sealed, err := j.saveSeals(ctx, timeout)
		if err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "saving the keys' counts of sealed codes failed", "error", err)
		}
		if sealed >= store.CodeKeyLimit && time.Since(warned) >= warnSealsEvery {
			warned = time.Now()
			j.options.Logger.WarnContext(ctx, "the newest key has sealed too many codes: run giftcards keys rotate", "key", j.store.CodeKey(), "sealed", sealed)
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

package jobs

import (
	"context"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"giftcards/store"
	"giftcards/store/id"
)

// pace gives out permits at a rate. Cards that were issued at once come before those of
// tasks, and receipts after all cards. The limiter's burst is one second's permits, so that a short delay of the process
// does not lower the throughput.
func pace(ctx context.Context, perSecond int, cards, bulk, receipts chan<- struct{}) {
	limiter := rate.NewLimiter(rate.Limit(perSecond), perSecond)
	for limiter.Wait(ctx) == nil {
		// select chooses at random among ready channels, so that cards are tried alone first.
		select {
		case cards <- struct{}{}:
			continue
		default:
		}
		select {
		case cards <- struct{}{}:
			continue
		case bulk <- struct{}{}:
			continue
		default:
		}
		select {
		case cards <- struct{}{}:
		case bulk <- struct{}{}:
		case receipts <- struct{}{}:
		case <-ctx.Done():
		}
	}
}

// look gives due messages to the workers until ctx ends.
func (c *courier) look(ctx context.Context) {
	var last id.ID
	for {
		// Two messages per worker keep the workers busy until the next look.
		limit, pause := 2*c.workers, c.lookEvery
		due, err := store.Read(ctx, c.store, func(tx *store.Tx) ([]store.DueCount, error) { return tx.CountDue(ctx, c.lane, limit) })
		if err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "looking for due messages failed", "channel", c.lane.Channel, "error", err)
			pause = lookPause
		}
		turns := takeTurns(due, last, limit)
		for _, last = range turns {
			select {
			case c.due <- last:
			case <-ctx.Done():
				return
			}
		}
		if len(turns) == limit { // more may be due
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// takeTurns returns up to limit turns, each the program of a due message. Programs take
// turns one message at a time, so that a large task does not delay other programs. The
// first turn goes to the program after last.
func takeTurns(due []store.DueCount, last id.ID, limit int) (turns []id.ID) {
	next := slices.IndexFunc(due, func(d store.DueCount) bool { return d.Program.After(last) })
	if next > 0 {
		due = slices.Concat(due[next:], due[:next])
	}
	// Round n gives a turn to each program that has more than n due messages.
	for round := int64(0); ; round++ {
		before := len(turns)
		for _, d := range due {
			if d.Count > round && len(turns) < limit {
				turns = append(turns, d.Program)
			}
		}
		if len(turns) == before {
			return turns
		}
	}
}

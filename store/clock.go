package store

import (
	"context"
	"time"
)

type timeKey struct{}

// At returns a context in which now is the time of every operation on cards, whatever the
// clock says. Only a sandbox uses it. Times of logins, links, messages, jobs and limits
// follow the clock.
func At(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, timeKey{}, now)
}

// timeOf returns the time that At has put into the context.
func timeOf(ctx context.Context) (now time.Time, ok bool) {
	now, ok = ctx.Value(timeKey{}).(time.Time)
	return now, ok
}

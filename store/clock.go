package store

import (
	"context"
	"fmt"
	"time"
)

// This file says which time an operation has. Mostly that is the clock's. A client of a sandbox
// may give one request another time, which its cards then have. Logins, links, idempotency keys,
// messages, jobs and limits follow the clock in any case, because workers act on them later.

type timeKey struct{}

// At returns a context in which now is the time of every operation on cards, whatever the
// clock says. Only a sandbox uses it. A transaction that changes a card fails with a Refused
// error if now is before the card's last event.
func At(ctx context.Context, now time.Time) context.Context {
	return context.WithValue(ctx, timeKey{}, now.UTC().Truncate(time.Microsecond))
}

// timeOf returns the time that At has put into the context.
func timeOf(ctx context.Context) (now time.Time, ok bool) {
	now, ok = ctx.Value(timeKey{}).(time.Time)
	return now, ok
}

// Now returns the time of the operation that ctx belongs to: that of At, or else the clock's.
// It is in UTC and in whole microseconds, as PostgreSQL keeps it.
func (s *Store) Now(ctx context.Context) time.Time { return s.moment(ctx).now }

// Clock returns the clock's time, which no request changes, in UTC and in whole microseconds.
func (s *Store) Clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// moment is the time of one transaction.
type moment struct {
	now   time.Time // for cards
	clock time.Time // for everything else
	given bool      // now is that of At
}

func (s *Store) moment(ctx context.Context) moment {
	m := moment{clock: s.Clock()}
	if m.now, m.given = timeOf(ctx); !m.given {
		m.now = m.clock
	}
	return m
}

// allows fails if the time was given and is before the last event of a card. The second of the
// event is allowed, because clients give whole seconds.
func (m moment) allows(card *GiftCard) error {
	last := lastEvent(card)
	if !m.given || !m.now.Before(last.Truncate(time.Second)) {
		return nil
	}
	return &Error{Kind: Refused, Message: fmt.Sprintf("Sandbox-Now must not be before the last event of the gift card, at %s", last.UTC().Format(time.RFC3339Nano))}
}

// of returns the time at which a card changes. It is never before what the card has seen, so
// that the times of a card do not go back when the clocks of servers differ.
func (m moment) of(card *GiftCard) time.Time {
	last := lastEvent(card)
	// A given time may be before a delivery, which follows the clock.
	if !m.given && card.UpdatedAt != nil && card.UpdatedAt.After(last) {
		last = *card.UpdatedAt
	}
	if last.After(m.now) {
		return last
	}
	return m.now
}

// lastEvent returns the time of the last change of a card's money or state, exact to a second.
func lastEvent(card *GiftCard) time.Time {
	last := card.CreatedAt
	for _, at := range []*time.Time{card.ActivatedAt, card.SuspendedAt} {
		if at != nil && at.After(last) {
			last = *at
		}
	}
	if entry := card.LastEntryID; !entry.IsZero() && entry.Time().After(last) {
		last = entry.Time()
	}
	return last
}

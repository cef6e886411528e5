package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/store/id"
)

// Lifetimes are how long things are kept. Tasks must not be kept for longer than
// keys: while a task can be polled, a retry of its request finds it.
type Lifetimes struct {
	// Keys is from an idempotency key's request on.
	Keys time.Duration
	// Tasks is from a finished task's request on. Its cards stay.
	Tasks time.Duration
	// Messages is from when one was sent or given up.
	Messages time.Duration
	// Audit is from an entry of the audit log on, 30 days at least: the database
	// refuses less.
	Audit time.Duration
}

// totalsKept is how long the totals of a day are kept: for longer than a task may be
// unfinished, because one that fails is taken out of them.
const totalsKept = 8 * 24 * time.Hour

// revokedTokensKept is how long a revoked token is kept after its end: an instance
// whose clock is behind still accepts the token for as long as it is behind.
const revokedTokensKept = time.Hour

// DeleteExpired deletes what has outlived its time, revoked tokens that expired an
// hour ago, and the totals of past days: about batch of each. It returns how many rows
// went. Rows that are left go with further calls.
func (tx *Tx) DeleteExpired(ctx context.Context, l Lifetimes, batch int) (total int64, err error) {
	limit := int32(batch)
	messagesBefore := tx.now.Add(-l.Messages)
	for _, step := range []struct {
		what   string
		delete func() (int64, error)
	}{
		{"tasks", func() (int64, error) { return tx.q.DeleteFinishedTasks(ctx, tx.now.Add(-l.Tasks), limit) }}, // before their keys
		{"keys", func() (int64, error) { return tx.q.DeleteExpiredKeys(ctx, tx.now.Add(-l.Keys), limit) }},
		{"totals", func() (int64, error) { return tx.q.DeleteOldTotals(ctx, tx.now.Add(-totalsKept), limit) }},
		{"tokens", func() (int64, error) { return tx.q.DeleteExpiredTokens(ctx, tx.now.Add(-revokedTokensKept), limit) }},
		{"known logins", func() (int64, error) { return tx.q.DeleteOldKnownLogins(ctx, tx.now.Add(-knownLoginLifetime), limit) }},
		{"messages", func() (int64, error) {
			return tx.q.DeleteEndedMessages(ctx, id.Least(messagesBefore.Add(time.Second)), messagesBefore, limit)
		}},
		{"audit log", func() (int64, error) { return tx.q.ExpireAuditLog(ctx, tx.now.Add(-l.Audit), limit) }},
	} {
		deleted, err := step.delete()
		if err != nil {
			return 0, fmt.Errorf("delete expired %s: %w", step.what, err)
		}
		total += deleted
	}
	return total, nil
}

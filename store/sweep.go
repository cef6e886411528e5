package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/store/id"
)

// Lifetimes are how long rows are kept. Tasks must not be kept for longer than keys, so that a
// retry of a request finds its task for as long as the task can be polled.
type Lifetimes struct {
	// Keys is counted from the request that used the idempotency key first.
	Keys time.Duration
	// Tasks is counted from the request of a finished task. Its cards stay.
	Tasks time.Duration
	// Messages is counted from when a message was sent or given up, and from when a receipt was
	// queued that has ended since.
	Messages time.Duration
	// Audit is counted from the entry. It is at least 30 days, because the database refuses to
	// delete younger entries.
	Audit time.Duration
}

// totalsKept is how long the totals of a day are kept. It is longer than a task may be
// unfinished, because a task that fails is subtracted from them.
const totalsKept = 8 * 24 * time.Hour

// revokedTokensKept is how long a revoked token is kept after it has expired, because an
// instance whose clock is slow accepts it for longer.
const revokedTokensKept = time.Hour

// codeFailuresKept is how long the wrong codes of a number are kept after the last one: longer
// than they count, because the clocks of instances differ.
const codeFailuresKept = time.Hour

// DeleteExpired deletes rows that have outlived their lifetimes, about batch of each kind. It
// returns how many rows it deleted; call it again until it returns 0.
func (tx *Tx) DeleteExpired(ctx context.Context, l Lifetimes, batch int) (total int64, err error) {
	limit := int32(batch)
	messagesBefore := tx.now.Add(-l.Messages)
	for _, step := range []struct {
		what   string
		delete func() (int64, error)
	}{
		// Tasks come before their keys, so that no task is without its key.
		{"tasks", func() (int64, error) { return tx.q.DeleteFinishedTasks(ctx, tx.now.Add(-l.Tasks), limit) }},
		{"keys", func() (int64, error) { return tx.q.DeleteExpiredKeys(ctx, tx.now.Add(-l.Keys), limit) }},
		{"totals", func() (int64, error) { return tx.q.DeleteOldTotals(ctx, tx.now.Add(-totalsKept), limit) }},
		{"tokens", func() (int64, error) { return tx.q.DeleteExpiredTokens(ctx, tx.now.Add(-revokedTokensKept), limit) }},
		{"known logins", func() (int64, error) { return tx.q.DeleteOldKnownLogins(ctx, tx.now.Add(-knownLoginLifetime), limit) }},
		{"wrong codes", func() (int64, error) { return tx.q.DeleteOldCodeFailures(ctx, tx.now.Add(-codeFailuresKept), limit) }},
		{"messages", func() (int64, error) {
			return tx.q.DeleteEndedMessages(ctx, id.Least(messagesBefore.Add(time.Second)), messagesBefore, limit)
		}},
		{"receipts", func() (int64, error) { return tx.q.DeleteEndedReceipts(ctx, messagesBefore, limit) }},
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

// MakeSearchable puts about batch new cards into the index of names and e-mail addresses, and
// returns how many; call it again until it returns 0. Cards that are locked wait for the next
// time.
func (tx *Tx) MakeSearchable(ctx context.Context, batch int) (int64, error) {
	made, err := tx.q.MakeSearchable(ctx, int32(batch))
	return made, wrap(err, "make cards searchable")
}

// RecountCards sets the totals of cards right, which servers of version 0.1.0 do not keep. It
// returns how many programs had a wrong one; 0 also if another transaction recounts.
func (tx *Tx) RecountCards(ctx context.Context) (int64, error) {
	alone, err := tx.q.TryRecount(ctx)
	if err != nil || !alone {
		return 0, wrap(err, "begin to recount cards")
	}
	wrong, err := tx.q.RecountCards(ctx)
	return wrong, wrap(err, "recount cards")
}

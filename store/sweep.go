package store

import (
	"context"
	"fmt"
	"time"
)

// DeleteExpired deletes idempotency keys older than keyLifetime and revoked
// tokens past their end, at most batch of each, and returns how many rows went.
func (tx *Tx) DeleteExpired(ctx context.Context, keyLifetime time.Duration, batch int) (int64, error) {
	keys, err := tx.q.DeleteExpiredKeys(ctx, tx.now.Add(-keyLifetime), int32(batch))
	if err != nil {
		return 0, fmt.Errorf("delete expired keys: %w", err)
	}
	tokens, err := tx.q.DeleteExpiredTokens(ctx, tx.now, int32(batch))
	if err != nil {
		return 0, fmt.Errorf("delete expired tokens: %w", err)
	}
	return keys + tokens, nil
}

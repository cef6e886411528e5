package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
)

// Tx is one transaction. All its rows share one time.
type Tx struct {
	tx    pgx.Tx
	q     *db.Queries
	store *Store
	now   time.Time
	tally tally // counted once all of it is committed
}

// Now is the time of the operation, the same however often it is asked.
func (tx *Tx) Now() time.Time { return tx.now }

// Unwrap is the transaction itself, for River to write its own rows in.
func (tx *Tx) Unwrap() pgx.Tx { return tx.tx }

// Write runs do in a transaction and returns what it returned, after the commit.
// An error of do, or of the commit, leaves nothing behind (but a commit whose
// answer was lost may have happened: only an idempotency key makes a retry safe).
//
// Each statement sees what was committed before it, whatever the default of a role or
// a database is. The access mode stays unsaid: a standby refuses "read write" with an
// error of another kind than it refuses a write.
func Write[T any](ctx context.Context, s *Store, do func(*Tx) (T, error)) (T, error) {
	return run(ctx, s, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, do)
}

// Do is Write for a closure without a result.
func Do(ctx context.Context, s *Store, do func(*Tx) error) error {
	_, err := Write(ctx, s, func(tx *Tx) (struct{}, error) { return struct{}{}, do(tx) })
	return err
}

// Read runs do in a transaction that sees one state of the database and can
// change nothing.
func Read[T any](ctx context.Context, s *Store, do func(*Tx) (T, error)) (T, error) {
	return run(ctx, s, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.NotDeferrable}, do)
}

const rollbackTimeout = 5 * time.Second

func run[T any](ctx context.Context, s *Store, options pgx.TxOptions, do func(*Tx) (T, error)) (result T, err error) {
	var none T
	raw, err := s.pool.BeginTx(ctx, options)
	if err != nil {
		return none, classify(fmt.Errorf("begin: %w", err))
	}
	// Also after a panic, and after ctx has ended: the connection must come back clean.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = raw.Rollback(ctx) // a no-op after the commit; otherwise the error at hand says more
	}()
	tx := &Tx{tx: raw, q: db.New(raw), store: s, now: s.Now()}
	result, err = do(tx)
	if err != nil {
		return none, classify(err)
	}
	if err := raw.Commit(ctx); err != nil {
		return none, classify(fmt.Errorf("commit: %w", err))
	}
	s.counts.add(&tx.tally)
	return result, nil
}

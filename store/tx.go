package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
)

// Tx is one transaction. All rows that it writes have the same time.
type Tx struct {
	tx    pgx.Tx
	q     *db.Queries
	store *Store
	moment
	tally tally // added to the counts after the commit
}

// Now returns the time at which the transaction began, or that of At; it is always the same.
func (tx *Tx) Now() time.Time { return tx.now }

// Unwrap returns the pgx transaction, in which River writes its own rows.
func (tx *Tx) Unwrap() pgx.Tx { return tx.tx }

// Write runs do in a transaction, and returns its result after the commit. After an error
// of do or of the commit, nothing is written. There is one exception: if the connection is
// lost during the commit, it may have happened, and only an idempotency key makes a retry
// safe.
//
// Each statement sees everything that was committed before it (read committed), whatever
// the default of the role or the database is.
func Write[T any](ctx context.Context, s *Store, do func(*Tx) (T, error)) (T, error) {
	// No access mode is set: a standby refuses "read write" with another kind of error than
	// it refuses a write, and only the latter counts as Unavailable.
	return run(ctx, s, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, do)
}

// Do is Write for a closure without a result.
func Do(ctx context.Context, s *Store, do func(*Tx) error) error {
	_, err := Write(ctx, s, func(tx *Tx) (struct{}, error) { return struct{}{}, do(tx) })
	return err
}

// Read runs do in a read-only transaction, whose statements all see the same state of the
// database.
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
	// This also runs after a panic and after ctx has ended, because the connection must go
	// back to the pool clean.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = raw.Rollback(ctx) // does nothing after a commit; its error would say less than the first one
	}()
	tx := &Tx{tx: raw, q: db.New(raw), store: s, moment: s.moment(ctx)}
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

package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store/groupcommit"
)

// group is a group of callers that share transactions.
type group[In, Out any] struct{ *groupcommit.Group[In, Out] }

// sharing returns a group whose callers share the transactions of run; without share,
// each has its own.
func sharing[In, Out any](run func(context.Context, []In) ([]Out, error), share bool) group[In, Out] {
	return group[In, Out]{groupcommit.New(groupcommit.Options[In, Out]{Run: run, RolledBack: rolledBack, Off: !share})}
}

// Do calls Do of groupcommit.Group. If the database is away for the caller, it fails at once,
// because the caller must not join a transaction of others.
func (g group[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	if err := away(ctx); err != nil {
		var none Out
		return none, err
	}
	return g.Group.Do(ctx, in)
}

// rolledBack reports whether PostgreSQL rejected the statement, so that nothing was written.
// After a lost connection or a shutdown of PostgreSQL nobody can know.
func rolledBack(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.SeverityUnlocalized == "ERROR"
}

// findEach returns the row of each query in a batch, nil where there is none.
func findEach[Row any](count int, query func(func(int, Row, error))) ([]*Row, error) {
	found := make([]*Row, count)
	var failed error
	query(func(i int, row Row, err error) {
		switch {
		case err == nil:
			found[i] = &row
		case !errors.Is(err, pgx.ErrNoRows) && failed == nil: // the errors after the first only repeat it
			failed = err
		}
	})
	return found, failed
}

package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store/groupcommit"
)

// sharing returns a group whose callers share the transactions of run; without share,
// each has its own.
func sharing[In, Out any](run func(context.Context, []In) ([]Out, error), share bool) *groupcommit.Group[In, Out] {
	return groupcommit.New(groupcommit.Options[In, Out]{Run: run, RolledBack: rolledBack, Off: !share})
}

// rolledBack reports whether the server rejected the statement, so that nothing was
// written. After a lost connection or a shutdown of the server nobody can know.
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

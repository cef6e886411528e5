package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrSandbox means that the database belongs to a sandbox, and the program was started without
// --sandbox.
var ErrSandbox = errors.New("the database belongs to a sandbox: set --sandbox (GIFTCARDS_SANDBOX=true), or choose another database")

// ErrNotSandbox means that the database does not belong to a sandbox, and the program was
// started with --sandbox.
var ErrNotSandbox = errors.New("the database does not belong to a sandbox: leave --sandbox (GIFTCARDS_SANDBOX) out, or choose an empty database")

// Install migrates the database at url as Migrate does, and marks it as a sandbox or as none, if
// no program has done so before. It returns ErrSandbox or ErrNotSandbox if the database has the
// other mark. A role that serves may call it after the owner has.
func Install(ctx context.Context, url string, sandbox bool) error {
	return migrating(ctx, url, func(m migrator) error {
		if err := m.up(ctx); err != nil {
			return err
		}
		marked, err := m.mark(ctx, sandbox)
		switch {
		case err != nil:
			return fmt.Errorf("mark the database: %w", err)
		case marked && !sandbox:
			return ErrSandbox
		case !marked && sandbox:
			return ErrNotSandbox
		}
		return nil
	})
}

// mark returns the database's mark, which it writes if there is none.
func (m migrator) mark(ctx context.Context, sandbox bool) (marked bool, err error) {
	const find = "select sandbox from installation"
	err = m.pool.QueryRow(ctx, find).Scan(&marked)
	if !errors.Is(err, pgx.ErrNoRows) {
		return marked, err
	}
	// Another instance that starts at the same moment may be first, and its mark counts.
	if _, err := m.pool.Exec(ctx, "insert into installation (sandbox) values ($1) on conflict do nothing", sandbox); err != nil {
		return false, err
	}
	err = m.pool.QueryRow(ctx, find).Scan(&marked)
	return marked, err
}

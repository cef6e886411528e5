package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrSandbox means that the database belongs to a sandbox, and the program was started without
// --sandbox.
var ErrSandbox = errors.New("the database belongs to a sandbox: set --sandbox (GIFTCARDS_SANDBOX=true), or choose another database")

// ErrNotSandbox means that the database does not belong to a sandbox, and the program was
// started with --sandbox.
var ErrNotSandbox = errors.New("the database does not belong to a sandbox: leave --sandbox (GIFTCARDS_SANDBOX) out, or choose an empty database")

// Install marks the database at url as a sandbox or as none, if no program has done so
// before. It returns ErrSandbox or ErrNotSandbox if the database has the other mark. A role
// that serves may call it after the owner has.
func Install(ctx context.Context, url string, sandbox bool) error {
	// The address may have settings of the pool, which pgx alone would send to the server.
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database address: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return classify(fmt.Errorf("connect: %w", err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	marked, err := mark(ctx, conn, sandbox)
	switch {
	case err != nil:
		return classify(fmt.Errorf("mark the database: %w", err))
	case marked && !sandbox:
		return ErrSandbox
	case !marked && sandbox:
		return ErrNotSandbox
	}
	return nil
}

// mark returns the database's mark, which it writes if there is none.
func mark(ctx context.Context, conn *pgx.Conn, sandbox bool) (marked bool, err error) {
	const find = "select sandbox from installation"
	err = conn.QueryRow(ctx, find).Scan(&marked)
	if !errors.Is(err, pgx.ErrNoRows) {
		return marked, err
	}
	// Another instance that starts at the same moment may be first, and its mark counts.
	if _, err := conn.Exec(ctx, "insert into installation (sandbox) values ($1) on conflict do nothing", sandbox); err != nil {
		return false, err
	}
	err = conn.QueryRow(ctx, find).Scan(&marked)
	return marked, err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"giftcards/store/money"
)

// sessionSettings are set in every session, because the statements of this package rely on
// them and a role or a database may have other defaults. The operator may choose the role's
// time-outs and search_path.
const sessionSettings = `
set client_encoding = 'UTF8';
set default_transaction_isolation = 'read committed';
set default_transaction_read_only = off;
set default_transaction_deferrable = off`

// codeReadOnly is the SQLSTATE of a write on a standby, or in a read-only transaction.
const codeReadOnly = "25006"

// newPool sets up all connections of this package. If a connection cannot write, it and all
// idle connections are closed, because a new one may lead to the primary after a failover.
func newPool(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	var made atomic.Pointer[pgxpool.Pool] // nil while the first connections are set up
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		money.RegisterCodec(conn.TypeMap())
		return conn.PgConn().Exec(ctx, sessionSettings).Close()
	}
	config.PrepareConn = func(ctx context.Context, _ *pgx.Conn) (bool, error) { return true, away(ctx) }
	closesFatal := config.ConnConfig.OnPgError
	config.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == codeReadOnly {
			if pool := made.Load(); pool != nil {
				pool.Reset()
			}
			return false
		}
		return closesFatal(conn, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	made.Store(pool)
	return pool, err
}

// ErrNotWritable means that the database answers but takes no writes, as a standby does.
var ErrNotWritable = errors.New("the database takes no writes: it is a standby or read-only")

// CheckWritable fails if the database does not answer, and with ErrNotWritable if it takes no
// writes. After that the next check uses a new connection.
func (s *Store) CheckWritable(ctx context.Context) error {
	var readOnly bool
	err := s.pool.QueryRow(ctx, "select current_setting('transaction_read_only')::boolean").Scan(&readOnly)
	if err != nil {
		return classify(err)
	}
	if readOnly {
		s.pool.Reset()
		return ErrNotWritable
	}
	return nil
}

// checkEncoding refuses a database whose encoding is not UTF-8, because only this program
// could read the text there, and a dump could not be restored elsewhere.
func checkEncoding(ctx context.Context, tx pgx.Tx) error {
	var encoding string
	if err := tx.QueryRow(ctx, "select current_setting('server_encoding')").Scan(&encoding); err != nil {
		return fmt.Errorf("encoding of the database: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s, and only UTF8 works: create one with createdb --encoding=UTF8 --template=template0 and set DATABASE_URL to it", encoding)
	}
	return nil
}

// Package storetest gives each test a database of its own, with the schema of
// package store: a copy of a template that is made once per server.
//
// The server is the one that `make test` starts for all packages, or a private
// one of this process where there is none: plain `go test` works by itself.
// Only Access, for a user to test with, knows what tables are for.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"giftcards/store"
	"giftcards/store/embedded"
)

// Variable names the environment variable that holds the address, as a URL, of
// the database server to test with. Its role must be allowed to create
// databases and roles; no superuser is needed.
const Variable = "GIFTCARDS_TEST_DATABASE_URL"

// zone is nobody's default, and not a whole number of hours from UTC, so that tests fail if
// code depends on the time zone of the session.
const zone = "Pacific/Chatham"

// URL returns the address of a fresh database, migrated and empty, for t alone.
// It is dropped when t ends, even if clients are still connected. Without a database
// server, t fails.
func URL(t testing.TB) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // t's own context ends before cleanups run
	s, err := shared(ctx)
	if err != nil {
		t.Fatalf("no PostgreSQL to test with: %v (or set %s to the address of a server for tests)", err, Variable)
	}
	name := fmt.Sprintf("giftcards_test_%016x", rand.Uint64())
	t.Cleanup(func() {
		if err := s.drop(ctx, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	if err := s.clone(ctx, name); err != nil {
		t.Fatalf("make the test's database: %v", err)
	}
	return s.address(name)
}

// ServingRole has the privileges that a server needs in a test's database, and no more.
const ServingRole = "giftcards_test_serving"

// Serving returns the address of a test's database for the role that serves and owns nothing,
// as in production.
func Serving(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // the caller fails when it connects
	}
	query := u.Query()
	query.Set("role", ServingRole)
	u.RawQuery = query.Encode()
	return u.String()
}

// server holds a template to copy.
type server struct {
	url      *url.URL
	pool     *pgxpool.Pool
	template string
	strategy string // a clause of CREATE DATABASE
}

var (
	sharedOnce   sync.Once
	sharedServer *server
	errShared    error
)

// shared connects once in a process. Nothing is closed, because everything, including a
// private server, ends with the process.
func shared(ctx context.Context) (*server, error) {
	sharedOnce.Do(func() { sharedServer, errShared = connect(ctx) })
	return sharedServer, errShared
}

func connect(ctx context.Context) (*server, error) {
	address := os.Getenv(Variable)
	if address == "" {
		private, err := embedded.Start(ctx, embedded.Options{Ephemeral: true})
		if err != nil {
			return nil, err
		}
		address = private.URL()
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	s := &server{url: u, pool: pool, template: "giftcards_template_" + store.MigrationsHash()}
	return s, s.makeTemplate(ctx)
}

// address returns the address of another database on the server.
func (s *server) address(database string) string {
	u := *s.url
	u.Path = "/" + database
	return u.String()
}

// makeTemplate makes the template unless another process has made it. Its lock needs a
// session of its own, and is released when the session ends.
func (s *server) makeTemplate(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('giftcards test template'))"); err != nil {
		return err
	}
	var finished bool // the mark is set last
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate),
		CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY FILE_COPY' ELSE '' END`,
		s.template).Scan(&finished, &s.strategy)
	if err != nil || finished {
		return err
	}
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + s.template, "CREATE DATABASE " + s.template} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("test template: %w", err)
		}
	}
	if err := store.Migrate(ctx, s.address(s.template)); err != nil {
		return fmt.Errorf("test template: %w", err)
	}
	if err := createServingRole(ctx, conn); err != nil {
		return fmt.Errorf("role to serve with: %w", err)
	}
	if err := grant(ctx, s.address(s.template)); err != nil {
		return fmt.Errorf("test template: %w", err)
	}
	// Nobody may connect, because a database in use cannot be copied.
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+s.template+" IS_TEMPLATE true ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("test template: %w", err)
	}
	return nil
}

// grant lets the ServingRole serve on a database.
func grant(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url, store.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer st.Close()
	err = store.Do(ctx, st, func(tx *store.Tx) error { return tx.Grant(ctx, ServingRole) })
	return err
}

// createServingRole makes the role unless it exists. All databases of the server share it.
func createServingRole(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", ServingRole).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := conn.Exec(ctx, "CREATE ROLE "+ServingRole+"; GRANT "+ServingRole+" TO CURRENT_USER")
	return err
}

// clone copies the template. A database's settings are not copied with it.
func (s *server) clone(ctx context.Context, name string) error {
	for _, statement := range []string{
		"CREATE DATABASE " + name + " TEMPLATE " + s.template + " " + s.strategy,
		"ALTER DATABASE " + name + " SET timezone = '" + zone + "'",
	} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// drop first waits until all sessions have ended, for 100 ms at most: a session that was just
// closed takes a moment to end, and DROP DATABASE sleeps 100 ms when it meets one.
func (s *server) drop(ctx context.Context, name string) error {
	for range 100 {
		sessions, err := s.pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND datname = '"+name+"'")
		if err != nil {
			return err
		}
		if sessions.RowsAffected() == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	// Not WITH (FORCE), because that needs a superuser while an autovacuum runs; without it,
	// PostgreSQL ends the autovacuum itself.
	_, err := s.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+name)
	return err
}

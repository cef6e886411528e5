// Package storetest gives each test a database of its own with the schema of package store.
// The database is a copy of a template that is made once per PostgreSQL server.
//
// The PostgreSQL server is the one that `make test` starts for all packages. Without it, the
// package starts a private one for this process, so that plain `go test` works, too.
// Only Program and Access, which make a program and a user to test with, know what tables
// are for.
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

// Variable is the environment variable with the URL of the PostgreSQL server for tests. The
// URL's role must be allowed to create databases and roles. It need not be a superuser.
const Variable = "GIFTCARDS_TEST_DATABASE_URL"

// zone is an unusual time zone and not a whole number of hours from UTC, so that tests reveal
// code that depends on the session's time zone.
const zone = "Pacific/Chatham"

// URL returns the address of a new, migrated and empty database for t alone. The database is
// dropped when t ends, even if it is still in use. t fails if there is no server.
func URL(t testing.TB) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // t.Context() ends before cleanups run
	s, err := shared(ctx)
	if err != nil {
		t.Fatalf("no PostgreSQL to test with: %v (or set %s to the address of a server for tests)", err, Variable)
	}
	// A random name, because test processes share the server.
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

// ServingRole is a role with exactly the rights that a server needs in a test's database.
const ServingRole = "giftcards_test_serving"

// Serving returns the address of a test's database for ServingRole, which owns no table, as in
// production.
func Serving(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // the store refuses it
	}
	query := u.Query()
	query.Set("role", ServingRole)
	u.RawQuery = query.Encode()
	return u.String()
}

// server is a PostgreSQL server with a template of the tests' databases.
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

// shared connects once per process. It closes nothing, because the connections and a private
// server end with the process.
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
	// The template's name changes with the migrations, so that an old one is not used.
	s := &server{url: u, pool: pool, template: "giftcards_template_" + store.MigrationsHash()}
	return s, s.makeTemplate(ctx)
}

// address returns the address of another database on the server.
func (s *server) address(database string) string {
	u := *s.url
	u.Path = "/" + database
	return u.String()
}

// makeTemplate makes the template unless another process has made it. A lock keeps processes
// apart. It belongs to a session of its own and is released with that session.
func (s *server) makeTemplate(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('giftcards test template'))"); err != nil {
		return err
	}
	var finished bool // makeTemplate sets datistemplate last
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate),
		CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY FILE_COPY' ELSE '' END`,
		s.template).Scan(&finished, &s.strategy)
	if err != nil || finished {
		return err
	}
	// A killed process may have left an unfinished template.
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
	// No session may connect, because a database in use cannot be copied.
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+s.template+" IS_TEMPLATE true ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("test template: %w", err)
	}
	return nil
}

// grant gives ServingRole its rights on a database.
func grant(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url, store.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer st.Close()
	return store.Do(ctx, st, func(tx *store.Tx) error { return tx.Grant(ctx, ServingRole) })
}

// createServingRole makes the role unless it exists. All databases of the server share it.
func createServingRole(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", ServingRole).Scan(&exists); err != nil || exists {
		return err
	}
	// The tests' role must be a member to take it.
	_, err := conn.Exec(ctx, "CREATE ROLE "+ServingRole+"; GRANT "+ServingRole+" TO CURRENT_USER")
	return err
}

// clone copies the template and sets the time zone, because settings are not copied.
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

// drop first ends the database's sessions for at most 100 ms. Sessions that were just closed
// take a moment to leave, and DROP DATABASE sleeps for 100 ms if it finds one.
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
	// WITH (FORCE) would need a superuser during an autovacuum. Without it PostgreSQL ends
	// the autovacuum itself.
	_, err := s.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+name)
	return err
}

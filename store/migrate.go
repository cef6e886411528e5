package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the advisory lock that a migrating process holds, so that instances that
// start together take turns.
const migrationLock = 0x67696674 // "gift"

// migrationLook is the pause between two attempts to get migrationLock.
const migrationLook = 100 * time.Millisecond

// Versions compare the schema of a database, ours and River's, with the schema that this
// program needs.
type Versions struct {
	Schema       int64 `json:"schema"`
	SchemaWanted int64 `json:"schemaWanted"`
	// OldestProgram is the oldest schema whose programs may run on this one; 0 if the
	// database does not say.
	OldestProgram int64 `json:"oldestProgram"`
	River         int   `json:"river"`
	RiverWanted   int   `json:"riverWanted"`
}

// Current reports whether the database has exactly the schema that this program needs.
func (v Versions) Current() bool { return v.Schema == v.SchemaWanted && v.River == v.RiverWanted }

// Usable reports whether this program may run on the database as it is: the schema is
// current, or it is newer and says that this program may run on it.
func (v Versions) Usable() bool { return v.Current() || v.beyond() && v.refusal() == nil }

// beyond reports whether the schema is newer than this program, and nothing is to be migrated.
func (v Versions) beyond() bool {
	return v.Schema >= v.SchemaWanted && v.River >= v.RiverWanted && !v.Current()
}

// refusal returns an error if the database has a newer schema that does not say that this
// program may run on it, because the program could corrupt data that it does not know.
// Newer migrations of River never say so.
func (v Versions) refusal() error {
	welcome := v.Schema <= v.SchemaWanted || v.OldestProgram > 0 && v.OldestProgram <= v.SchemaWanted
	if !welcome || v.River > v.RiverWanted {
		return fmt.Errorf("the database has schema %d (River's %d), this program knows %d (%d): run the newer program",
			v.Schema, v.River, v.SchemaWanted, v.RiverWanted)
	}
	return nil
}

// Migrate brings the database at url to the schema of this program. A newer schema stays as
// it is if this program may run on it; otherwise it is an error. Concurrent calls, also of
// other processes, take turns. If the schema is current, Migrate only reads it, which a role
// that serves may do.
func Migrate(ctx context.Context, url string) error {
	return migrating(ctx, url, func(m migrator) error { return m.up(ctx) })
}

// MigrationVersions returns the versions of the database at url.
func MigrationVersions(ctx context.Context, url string) (versions Versions, err error) {
	err = migrating(ctx, url, func(m migrator) error {
		versions, err = m.versions(ctx)
		return err
	})
	return versions, err
}

type migrator struct {
	goose *goose.Provider
	river *rivermigrate.Migrator[pgx.Tx]
	pool  *pgxpool.Pool
}

// up migrates the database. If the role may not, the error says the cure.
func (m migrator) up(ctx context.Context) error {
	err := m.migrate(ctx)
	if denied := Denied(err); denied != "" {
		return fmt.Errorf("the schema of the database is not the one of this program, and this role may not change it: run giftcards migrate up as the owner of the database (%s)", denied)
	}
	return err
}

func (m migrator) migrate(ctx context.Context) error {
	versions, err := m.versions(ctx)
	if err != nil {
		return err
	}
	// Refuse before anything is written.
	if err := versions.refusal(); err != nil {
		return err
	}
	if versions.Usable() {
		return nil
	}
	if versions.Schema == 0 && versions.River == 0 {
		return m.fill(ctx)
	}
	if _, err := m.goose.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := m.river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	return nil
}

func migrating(ctx context.Context, url string, do func(migrator) error) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("database address: %w", err)
	}
	pool, err := newPool(ctx, config)
	if err != nil {
		return fmt.Errorf("database pool: %w", err)
	}
	defer pool.Close()
	lock, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	if err := checkEncoding(ctx, lock); err != nil {
		return err
	}
	// The last statement of this transaction; see lockMigrations.
	if err := lockMigrations(ctx, lock); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	sql := stdlib.OpenDBFromPool(pool)
	defer sql.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, sql, files)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	river, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("migrations of River: %w", err)
	}
	return do(migrator{goose: provider, river: river, pool: pool})
}

// lockMigrations waits for the lock of migrations. It is a lock of the transaction, because a
// lock of the session would stay in the connection of a transaction pooler.
//
// A migration that builds an index concurrently waits for all snapshots in the database. A
// statement that waits for a lock has a snapshot, so this one asks again and again instead. It
// uses the simple protocol, because in the extended one its snapshot would outlive it.
func lockMigrations(ctx context.Context, tx pgx.Tx) error {
	for {
		var locked bool
		err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", pgx.QueryExecModeSimpleProtocol, int64(migrationLock)).Scan(&locked)
		if locked || err != nil {
			return err
		}
		select {
		case <-time.After(migrationLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m migrator) versions(ctx context.Context) (v Versions, err error) {
	if v.Schema, v.SchemaWanted, err = m.goose.GetVersions(ctx); err != nil {
		return Versions{}, fmt.Errorf("schema version: %w", err)
	}
	if v.OldestProgram, err = m.oldestProgram(ctx, v.Schema); err != nil {
		return Versions{}, fmt.Errorf("programs that may run on schema %d: %w", v.Schema, err)
	}
	if v.River, err = m.riverVersion(ctx); err != nil {
		return Versions{}, fmt.Errorf("schema version of River: %w", err)
	}
	all := m.river.AllVersions()
	v.RiverWanted = all[len(all)-1].Version
	return v, nil
}

// oldestProgram returns the row of schema_compatibility for a schema, 0 if there is none.
func (m migrator) oldestProgram(ctx context.Context, schema int64) (oldest int64, err error) {
	var exists bool
	err = m.pool.QueryRow(ctx, "select to_regclass('schema_compatibility') is not null").Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = m.pool.QueryRow(ctx, "select coalesce(max(oldest_program), 0) from schema_compatibility where schema = $1", schema).Scan(&oldest)
	return oldest, err
}

// riverVersion returns the newest migration of River in the database, 0 without any. River's
// own function fails on a migration that it does not know.
func (m migrator) riverVersion(ctx context.Context) (version int, err error) {
	var exists bool
	err = m.pool.QueryRow(ctx, "select to_regclass('river_migration') is not null").Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = m.pool.QueryRow(ctx, "select coalesce(max(version), 0) from river_migration where line = 'main'").Scan(&version)
	return version, err
}

// MigrationsHash identifies the schema that Migrate makes, in hexadecimal.
func MigrationsHash() string {
	hash := sha256.New()
	_ = fs.WalkDir(migrations, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		fmt.Fprintf(hash, "%s\n%s", path, text)
		return err
	})
	// River's migrations come with its module; their number identifies them.
	river, _ := rivermigrate.New(riverpgxv5.New(nil), nil)
	fmt.Fprintf(hash, "river %d", len(river.AllVersions()))
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

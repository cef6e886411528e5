package store

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sync/errgroup"
)

// fill makes the whole schema in an empty database: ours in one transaction, because each
// migration alone takes several times as long, and River's at the same time. If only one of the
// two is made, the next start makes the other.
func (m migrator) fill(ctx context.Context) error {
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return wrap(pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error { return m.makeSchema(ctx, tx) }), "make the schema")
	})
	both.Go(func() error {
		_, err := m.river.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return wrap(err, "make the schema of River")
	})
	return both.Wait()
}

// makeSchema executes the migrations, and notes them in goose's table.
func (m migrator) makeSchema(ctx context.Context, tx pgx.Tx) error {
	for _, source := range m.goose.ListSources() {
		text, err := fs.ReadFile(migrations, "migrations/"+source.Path)
		if err != nil {
			return err
		}
		_, up, _ := strings.Cut(string(text), "-- +goose Up")
		up, _, _ = strings.Cut(up, "-- +goose Down")
		// Nobody waits for an index on an empty table, and none is built concurrently in a
		// transaction.
		if _, err := tx.Exec(ctx, strings.ReplaceAll(up, "index concurrently", "index")); err != nil {
			return fmt.Errorf("%s: %w", source.Path, err)
		}
		if _, err := tx.Exec(ctx, "insert into goose_db_version (version_id, is_applied) values ($1, true)", source.Version); err != nil {
			return err
		}
	}
	return nil
}

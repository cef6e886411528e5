package store_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/storetest"
)

func TestMigrateTwiceIsOnce(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	must(t, store.Migrate(t.Context(), url))
	versions, err := store.MigrationVersions(t.Context(), url)
	must(t, err)
	if !versions.Current() {
		t.Errorf("after migrating: %+v", versions)
	}
}

// TestANewerSchemaIsRefused: ours and River's.
func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, newer := range []string{
		"insert into goose_db_version (version_id, is_applied) values (99999, true)",
		"insert into river_migration (line, version) values ('main', 999)",
	} {
		url := storetest.URL(t)
		connection, err := pgx.Connect(t.Context(), url)
		must(t, err)
		_, err = connection.Exec(t.Context(), newer)
		must(t, err)
		must(t, connection.Close(t.Context()))
		if err := store.Migrate(t.Context(), url); err == nil || !strings.Contains(err.Error(), "run the newer program") {
			t.Errorf("%s: %v", newer, err)
		}
	}
}

func TestMigrationsTakeTurns(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	done := make(chan error)
	for range 4 {
		go func() { done <- store.Migrate(t.Context(), url) }()
	}
	for range 4 {
		must(t, <-done)
	}
}

package store_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

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

// TestAMigrationThatEndedInTheMiddleIsRunAgain: one without a transaction leaves what it did,
// perhaps an index whose build was killed.
func TestAMigrationThatEndedInTheMiddleIsRunAgain(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string][]string{
		"at the end":    nil,
		"at the counts": {"drop trigger gift_cards_count on gift_cards", "drop table card_totals"},
		// The build fails, because two cards are physical, and leaves an invalid index.
		"at an index": {"drop index gift_cards_used_idx", "create unique index concurrently gift_cards_used_idx on gift_cards (is_physical)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.URL(t)
			conn, err := pgx.Connect(t.Context(), url)
			must(t, err)
			defer conn.Close(t.Context())
			execute(t, url, `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at)
				select '\x01', int4send(i) || '\x0000000000000000'::bytea, i, '', 1, true, now(), now() from generate_series(2, 3) as i`)
			execute(t, url, "delete from goose_db_version where version_id >= 6")
			execute(t, url, "delete from schema_compatibility where schema >= 6")
			for _, statement := range undo {
				if _, err := conn.Exec(t.Context(), statement); (err != nil) != strings.Contains(statement, "concurrently") {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			must(t, store.Migrate(t.Context(), url))
			execute(t, url, `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at)
				values ('\x01', '\x000000000000000000000001', 1, '', 1, false, now(), now())`)
			var invalid, counted int
			must(t, conn.QueryRow(t.Context(), `select (select count(*) from pg_index where not indisvalid), (select sum(cards) from card_totals)`).Scan(&invalid, &counted))
			if invalid != 0 || counted != 3 {
				t.Errorf("%d invalid indexes and %d cards counted, want none and 3", invalid, counted)
			}
		})
	}
}

// TestANewerSchemaIsRefused, ours and River's.
func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, newer := range []string{
		"insert into goose_db_version (version_id, is_applied) values (99999, true)",
		"insert into river_migration (line, version) values ('main', 999)",
	} {
		url := storetest.URL(t)
		execute(t, url, newer)
		if err := store.Migrate(t.Context(), url); err == nil || !strings.Contains(err.Error(), "run the newer program") {
			t.Errorf("%s: %v", newer, err)
		}
	}
}

// TestAnOlderProgramRunsOnANewerSchemaThatSaysSo, and on no other.
func TestAnOlderProgramRunsOnANewerSchemaThatSaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oldest func(ours int64) int64
		usable bool
	}{
		"for this program":      {func(ours int64) int64 { return ours }, true},
		"for older ones too":    {func(ours int64) int64 { return max(1, ours-1) }, true}, // nothing is older than schema 1
		"for newer ones alone":  {func(ours int64) int64 { return ours + 1 }, false},
		"for the newest, it is": {func(int64) int64 { return 99999 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.URL(t)
			before, err := store.MigrationVersions(t.Context(), url)
			must(t, err)
			execute(t, url, "insert into goose_db_version (version_id, is_applied) values (99999, true)")
			execute(t, url, "insert into schema_compatibility (schema, oldest_program) values (99999, $1)", c.oldest(before.SchemaWanted))
			for _, role := range []string{url, storetest.Serving(url)} {
				if err := store.Migrate(t.Context(), role); (err == nil) != c.usable {
					t.Errorf("migrate: %v", err)
				}
				versions, err := store.MigrationVersions(t.Context(), role)
				must(t, err)
				if versions.Usable() != c.usable || versions.Schema != 99999 || versions.Current() {
					t.Errorf("%+v, usable %v", versions, versions.Usable())
				}
			}
		})
	}
}

// TestTheNewestSchemaSaysWhichProgramsMayRunOnIt: a new migration easily forgets its row.
func TestTheNewestSchemaSaysWhichProgramsMayRunOnIt(t *testing.T) {
	t.Parallel()
	versions, err := store.MigrationVersions(t.Context(), storetest.URL(t))
	must(t, err)
	if versions.OldestProgram == 0 {
		t.Errorf("migration %d adds no row to schema_compatibility", versions.Schema)
	}
}

// TestADatabaseThatIsNotUTF8IsRefused before anything is written.
func TestADatabaseThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	server := storetest.URL(t)
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		name := fmt.Sprintf("giftcards_test_%s_%d", strings.ToLower(encoding), time.Now().UnixNano())
		execute(t, server, "create database "+name+" encoding '"+encoding+"' template template0 lc_collate 'C' lc_ctype 'C'")
		t.Cleanup(func() { execute(t, server, "drop database "+name) })
		u, err := url.Parse(server)
		must(t, err)
		u.Path = "/" + name
		_, versions := store.MigrationVersions(t.Context(), u.String())
		for _, err := range []error{store.Migrate(t.Context(), u.String()), versions} {
			if err == nil || !strings.Contains(err.Error(), "the database has the encoding "+encoding+", and only UTF8 works") || store.IsUnavailable(err) {
				t.Errorf("%s: %v", encoding, err)
			}
		}
		conn, err := pgx.Connect(t.Context(), u.String())
		must(t, err)
		var tables int
		must(t, conn.QueryRow(t.Context(), "select count(*) from pg_class where relnamespace = 'public'::regnamespace").Scan(&tables))
		must(t, conn.Close(t.Context()))
		if tables != 0 {
			t.Errorf("%s: %d tables were made", encoding, tables)
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

// execute runs a statement in a session of its own.
func execute(t *testing.T, url, statement string, arguments ...any) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // also in a cleanup
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement, arguments...)
	must(t, err)
}

// TestTheKeyOfMessagesIsMadeAgainAfterItWasBrokenOff: a migration that was killed while it
// built the index has left an invalid one behind.
func TestTheKeyOfMessagesIsMadeAgainAfterItWasBrokenOff(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	for _, statement := range []string{
		"delete from goose_db_version where version_id >= 4", "delete from schema_compatibility where schema >= 4",
		"drop trigger messages_of_newer_programs on messages", "drop function skip_message_change()",
		"alter table messages drop constraint messages_pkey, add constraint messages_pkey primary key (program_id, card_id, channel)",
		`insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
			select '\x01', decode(lpad(n::text, 24, '0'), 'hex'), 'email', 'a@example.com', false, now(), now(), now() from generate_series(1, 2) n`,
	} {
		execute(t, url, statement)
	}
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	// Two messages have the same channel, so this index stays invalid.
	if _, err := conn.Exec(t.Context(), "create unique index concurrently messages_kind_key on messages (channel)"); err == nil {
		t.Fatal("the index is not broken")
	}
	must(t, store.Migrate(t.Context(), url))
	var key string
	var valid bool
	must(t, conn.QueryRow(t.Context(), `select pg_get_constraintdef(c.oid), i.indisvalid from pg_constraint c join pg_index i on i.indexrelid = c.conindid
		where c.conname = 'messages_pkey'`).Scan(&key, &valid))
	if key != "PRIMARY KEY (program_id, card_id, channel, kind, sequence)" || !valid {
		t.Errorf("the key is %s, valid %v", key, valid)
	}
}

package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

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

// TestAMigrationThatWasInterruptedIsRunAgain: a migration without a transaction leaves its first
// steps, and perhaps an index whose build was killed.
func TestAMigrationThatWasInterruptedIsRunAgain(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string][]string{
		"at the end":    nil,
		"at the counts": {"drop table card_totals"},
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
			migrateDown(t, url, 6)
			execute(t, url, "delete from goose_db_version where version_id = 6")
			execute(t, url, "delete from schema_compatibility where schema = 6")
			for _, statement := range undo {
				if _, err := conn.Exec(t.Context(), statement); (err != nil) != strings.Contains(statement, "concurrently") {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			must(t, store.Migrate(t.Context(), url))
			var invalid, counted int
			must(t, conn.QueryRow(t.Context(), `select (select count(*) from pg_index where not indisvalid), (select sum(cards) from card_totals)`).Scan(&invalid, &counted))
			if invalid != 0 || counted != 2 {
				t.Errorf("%d invalid indexes and %d cards counted, want none and 2", invalid, counted)
			}
		})
	}
}

// TestANewerSchemaIsRefused, whether it is the server's own or River's.
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

// TestAnOlderProgramRunsOnANewerSchemaThatSaysSo, and on no other newer schema.
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

// TestTheNewestSchemaSaysWhichProgramsMayRunOnIt: the row is easily forgotten in a new migration.
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

// TestAnEmptyDatabaseGetsTheSchemaOfEachMigrationInTurn: an empty database is migrated in one
// transaction, and any other database one migration at a time, with the same result.
func TestAnEmptyDatabaseGetsTheSchemaOfEachMigrationInTurn(t *testing.T) {
	t.Parallel()
	atOnce, inTurn := emptyDatabase(t), emptyDatabase(t)
	must(t, store.Migrate(t.Context(), atOnce))
	pool, err := pgxpool.New(t.Context(), inTurn)
	must(t, err)
	defer pool.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(pool), os.DirFS("migrations"))
	must(t, err)
	_, err = provider.Up(t.Context())
	must(t, err)
	must(t, store.Migrate(t.Context(), inTurn)) // River's
	got, want := definitions(t, atOnce), definitions(t, inTurn)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%q, want %q", got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
		}
	}
	if len(got) < 500 {
		t.Errorf("only %d definitions are compared", len(got))
	}
}

// emptyDatabase returns the address of a new database without any schema.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	server := storetest.URL(t)
	name := fmt.Sprintf("giftcards_empty_%016x", rand.Uint64())
	execute(t, server, "create database "+name)
	t.Cleanup(func() { execute(t, server, "drop database "+name+" with (force)") })
	u, err := url.Parse(server)
	must(t, err)
	u.Path = "/" + name
	return u.String()
}

// definitions describes everything that migrations make, a line each, without ids and times.
func definitions(t *testing.T, address string) (lines []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `
		with ours as (select oid, relname, relkind, reloptions, relacl from pg_class where relnamespace = 'public'::regnamespace)
		select 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '') || ' ' || coalesce(relacl::text, '') || ' ' || coalesce(obj_description(oid, 'pg_class'), '') from ours
		union all select format('column %s %s %s %s %s %s %s %s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstattarget,
			pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
			from pg_attribute a join ours c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where a.attnum > 0
		union all select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint where connamespace = 'public'::regnamespace
		union all select format('index %s %s', pg_get_indexdef(indexrelid), indisvalid) from pg_index i join ours c on c.oid = i.indexrelid
		union all select format('trigger %s %s %s', tgrelid::regclass, tgenabled, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
		union all select format('function %s %s %s', pg_get_functiondef(oid), proacl, obj_description(oid, 'pg_proc')) from pg_proc where pronamespace = 'public'::regnamespace
		union all select format('type %s %s', t.typname, (select array_agg(enumlabel order by enumsortorder) from pg_enum e where e.enumtypid = t.oid)) from pg_type t where typnamespace = 'public'::regnamespace
		union all select format('migration %s %s', version_id, is_applied) from goose_db_version
		union all select format('migration of River %s %s', line, version) from river_migration
		union all select format('compatibility %s %s', schema, oldest_program) from schema_compatibility
		union all select format('installation %s', sandbox) from installation
		order by 1`)
	must(t, err)
	lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return lines
}

// execute runs a statement in a new session.
func execute(t *testing.T, url, statement string, arguments ...any) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // also in a cleanup
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement, arguments...)
	must(t, err)
}

// migrateDown undoes the migrations after the one with the number to, beginning with the last.
func migrateDown(t *testing.T, url string, to int) {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	for _, file := range slices.Backward(files) {
		version, err := strconv.Atoi(filepath.Base(file)[:5])
		must(t, err)
		if version <= to {
			return
		}
		text, err := os.ReadFile(file)
		must(t, err)
		_, down, _ := strings.Cut(string(text), "-- +goose Down")
		if _, err := conn.PgConn().Exec(t.Context(), down).ReadAll(); err != nil {
			t.Fatalf("down from %d: %v", version, err)
		}
		execute(t, url, "delete from goose_db_version where version_id = $1", version)
	}
}

// TestTheKeyOfMessagesIsMadeAgainAfterItWasBrokenOff: a migration was killed while it built the
// index, and has left an invalid index behind.
func TestTheKeyOfMessagesIsMadeAgainAfterItWasBrokenOff(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	migrateDown(t, url, 6)
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

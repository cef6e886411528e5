package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// TestTheServingRoleMayServeAndNoMore: the server's tests show that the role may serve. This test
// shows that no table was forgotten, and that the role may do nothing else.
func TestTheServingRoleMayServeAndNoMore(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	owner, serving := connect(t, url), connect(t, storetest.Serving(url))
	if _, err := owner.Exec(t.Context(), "insert into audit_log (at, operation, client) values ('2020-01-01', 'old', 'test'), (now(), 'new', 'test')"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"drop table gift_cards", "drop table audit_log", "alter table gift_cards add column x int", "create table x (x int)", "create schema x",
		"alter table audit_log disable trigger all", "drop trigger audit_log_append_only on audit_log",
		"drop function expire_audit_log(timestamptz, integer)", "create or replace function refuse_audit_change() returns trigger language sql as ''",
		"update audit_log set client = 'x'", "delete from audit_log", "truncate audit_log", "truncate gift_cards",
		"delete from gift_cards", "delete from users", "delete from programs", "delete from merchants",
		"update users set role = 'issuer'", "update users set active = true, tokens_valid_after = null", "select from users for update",
		"insert into users (id, merchant_id, email, password_hash, created_at) values (decode(repeat('00', 12), 'hex'), decode(repeat('00', 12), 'hex'), 'x', 'x', now())",
		"insert into merchants (id, name, created_at) values (decode(repeat('00', 12), 'hex'), 'x', now())", "update merchants set name = 'x'",
		"insert into programs (id, merchant_id, name, created_at) values (decode(repeat('00', 12), 'hex'), decode(repeat('00', 12), 'hex'), 'x', now())",
		"update programs set merchant_id = merchant_id", "update programs set time_zone = 'UTC'", "delete from message_origins",
		"insert into goose_db_version (version_id, is_applied) values (9, true)", "delete from river_migration",
		"drop index gift_cards_number_idx", "reindex table river_job",
	} {
		_, err := serving.Exec(t.Context(), statement)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	var forgotten []string
	must(t, serving.QueryRow(t.Context(), `select coalesce(array_agg(relname::text), '{}') from pg_class
		where relnamespace = 'public'::regnamespace and relkind = 'r' and not has_table_privilege(oid, 'select')`).Scan(&forgotten))
	if len(forgotten) > 0 {
		t.Errorf("nothing is granted on %v", forgotten)
	}
	var expired int64
	must(t, serving.QueryRow(t.Context(), "select expire_audit_log('2021-01-01', 10)").Scan(&expired))
	if expired != 1 {
		t.Errorf("%d old entries of the audit log were deleted, want 1", expired)
	}
}

func TestGrantRevokesOtherPrivilegesAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	owner, serving := connect(t, url), storetest.Serving(url)
	_, err := owner.Exec(t.Context(), "grant all on audit_log to "+storetest.ServingRole)
	must(t, err)
	st, err := store.Open(t.Context(), url, store.Options{MaxConns: 1})
	must(t, err)
	t.Cleanup(st.Close)
	grant := func(role string) error {
		err := store.Do(t.Context(), st, func(tx *store.Tx) error { return tx.Grant(t.Context(), role) })
		return err
	}
	must(t, grant(storetest.ServingRole))
	must(t, grant(storetest.ServingRole))
	var mayUpdate, mayInsert bool
	must(t, connect(t, serving).QueryRow(t.Context(), "select has_table_privilege('audit_log', 'update'), has_table_privilege('audit_log', 'insert')").Scan(&mayUpdate, &mayInsert))
	if mayUpdate || !mayInsert {
		t.Errorf("update %t, insert %t", mayUpdate, mayInsert)
	}
	if err := grant(`no "such" role`); err == nil || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("a role that is not there: %v", err)
	}
}

// TestALesserRoleOnlyLooksAtTheSchema. If the schema is not current, the error says what to do.
func TestALesserRoleOnlyLooksAtTheSchema(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	serving := storetest.Serving(url)
	must(t, store.Migrate(t.Context(), serving))
	_, err := connect(t, url).Exec(t.Context(), "delete from goose_db_version where version_id > 0")
	must(t, err)
	if err := store.Migrate(t.Context(), serving); err == nil || !strings.Contains(err.Error(), "migrate up as the owner") {
		t.Errorf("an old schema: %v", err)
	}
}

// TestTheAuditLogExpiresWhateverTheCallersSearchPath: a function that runs as the owner must
// not use tables of the caller.
func TestTheAuditLogExpiresWhateverTheCallersSearchPath(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Move(-100 * 24 * time.Hour)
	f.audit(t, store.AuditEntry{Operation: "old", Client: "test"})
	var expired int64
	conn := connect(t, f.Pool().Config().ConnString())
	_, err := conn.Exec(t.Context(), "create temporary table audit_log (at timestamptz); insert into audit_log values ('2020-01-01'); set search_path = pg_temp, public")
	must(t, err)
	must(t, conn.QueryRow(t.Context(), "select public.expire_audit_log(now() - interval '50 days', 10)").Scan(&expired))
	if expired != 1 || len(f.entries(t, id.ID{}, id.ID{}, time.Time{}, 10)) != 0 {
		t.Errorf("%d entries went", expired)
	}
}

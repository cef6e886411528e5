package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// grants are what a role needs to serve, and all that it gets. Locking a row
// needs the privilege to update it. Merchants, programs and users are the operator's
// to change, who works as the owner.
var grants = []struct{ privileges, objects string }{
	{"select", "goose_db_version, river_migration, schema_compatibility, merchants, programs, users, issuing_limits"},
	{"select, insert", "audit_log"},
	{"select, insert, update", "gift_cards, key_checks, key_uses, message_origins, reseals"},
	{"select, insert, update, delete", "bulk_tasks, task_cancellations, task_recipients, idempotency_keys, known_logins, messages, revoked_tokens, " +
		"issued_totals, river_job, river_leader, river_notification, river_queue"},
	{"usage", "sequence river_job_id_seq, river_notification_id_seq"},
	{"execute", "function expire_audit_log(timestamptz, integer)"},
}

// PostgreSQL's codes for a role that may not do something, and for a thing that is not there.
const (
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
)

// Denied returns what PostgreSQL says the role of the database may not do, such as
// "permission denied for table users", and "" if err is something else.
func Denied(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return pg.Message
	}
	return ""
}

// Grant lets role serve on the database, whose owner's transaction this is; nobody
// sees the moment in between. Privileges on these tables that role has from before
// are taken away where it does not need them.
func (tx *Tx) Grant(ctx context.Context, role string) error {
	to := pgx.Identifier{role}.Sanitize()
	err := tx.grant(ctx, to)
	if missing, ok := errors.AsType[*pgconn.PgError](err); ok && missing.Code == undefinedObject {
		return fmt.Errorf("there is no role %s: make it first (create role %s login)", role, to)
	}
	return wrap(err, "grant")
}

func (tx *Tx) grant(ctx context.Context, to string) error {
	var schema string
	if err := tx.tx.QueryRow(ctx, "select current_schema()").Scan(&schema); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(ctx, "grant usage on schema "+pgx.Identifier{schema}.Sanitize()+" to "+to); err != nil {
		return err
	}
	for _, g := range grants {
		all := "all"
		if strings.HasPrefix(g.objects, "function") {
			all = "execute"
		}
		for _, statement := range []string{
			fmt.Sprintf("revoke %s on %s from %s", all, g.objects, to), fmt.Sprintf("grant %s on %s to %s", g.privileges, g.objects, to),
		} {
			if _, err := tx.tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}

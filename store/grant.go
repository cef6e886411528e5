package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// grants are the privileges that a role needs to serve; it gets no others. Locking a row
// needs the privilege to update it. Only operators, who work as the owner, change
// merchants, programs and users.
var grants = []privilege{
	{"select", "goose_db_version, river_migration, schema_compatibility, installation, worlds, merchants, programs, users, issuing_limits"},
	{"select, insert", "audit_log, ledger_entries, receipt_refusals"},
	{"select, insert, update", "gift_cards, card_totals, key_checks, key_uses, message_origins, recipient_erasures, reseals"},
	{"select, insert, update, delete", "bulk_tasks, task_cancellations, task_recipients, code_failures, idempotency_keys, known_logins, messages, receipts, revoked_tokens, " +
		"issued_totals, river_job, river_leader, river_notification, river_queue"},
	{"usage", "sequence river_job_id_seq, river_notification_id_seq"},
	{"execute", "function expire_audit_log(timestamptz, integer)"},
}

// sandboxGrants are what a role needs besides to serve a sandbox, whose clients make worlds and
// delete them.
var sandboxGrants = []privilege{
	{"insert, update, delete", "merchants, programs, users, issuing_limits, worlds"},
	{"delete", "gift_cards, ledger_entries, audit_log, card_totals"},
}

// privilege is a part of a GRANT.
type privilege struct{ privileges, objects string }

// SQLSTATEs of a missing privilege, and of an object that does not exist.
const (
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
)

// Denied returns PostgreSQL's message, such as "permission denied for table users", if err
// means that the role lacks a privilege, and "" otherwise.
func Denied(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return pg.Message
	}
	return ""
}

// Grant gives role the privileges to serve, and takes away all others that it has on the
// same tables. In a sandbox the role may also make and delete worlds. The transaction must be
// the owner's. Others see no moment in between.
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
		// Revoke first, so that privileges that an older version granted disappear.
		for _, statement := range []string{
			fmt.Sprintf("revoke %s on %s from %s", all, g.objects, to), fmt.Sprintf("grant %s on %s to %s", g.privileges, g.objects, to),
		} {
			if _, err := tx.tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
	}
	var sandbox bool
	if err := tx.tx.QueryRow(ctx, "select exists (select from installation where sandbox)").Scan(&sandbox); err != nil || !sandbox {
		return err
	}
	for _, g := range sandboxGrants {
		if _, err := tx.tx.Exec(ctx, fmt.Sprintf("grant %s on %s to %s", g.privileges, g.objects, to)); err != nil {
			return err
		}
	}
	return nil
}

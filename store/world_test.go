package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// installed returns the address of a new database, of a sandbox or of a real server.
func installed(t *testing.T, sandbox bool) string {
	t.Helper()
	url := storetest.URL(t)
	must(t, store.Install(t.Context(), url, sandbox))
	return url
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string, arguments ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, arguments...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestOnlyADeletedProgramOfASandboxLosesItsLedger tries what the owner of the tables may do.
func TestOnlyADeletedProgramOfASandboxLosesItsLedger(t *testing.T) {
	t.Parallel()
	program := slices.Repeat([]byte{7}, len(id.ID{}))
	for _, c := range []struct {
		name     string
		url      string
		program  bool // the program exists
		deleting string
	}{
		{"a real server", installed(t, false), false, "refused"},
		{"a real server with the program", installed(t, false), true, "refused"},
		{"a sandbox with the program", installed(t, true), true, "refused"},
		{"a sandbox without the program", installed(t, true), false, "allowed"},
	} {
		conn := connect(t, c.url)
		if c.program {
			mustExec(t, conn, "insert into merchants (id, name, created_at) values ($1, 'x', now())", program)
			mustExec(t, conn, "insert into programs (id, merchant_id, name, created_at) values ($1, $1, 'x', now())", program)
		}
		mustExec(t, conn, `insert into ledger_entries (program_id, card_id, id, type, amount, balance_before, balance_after, created_at)
			values ($1, $1, $1, 'ACTIVATION', 1, 0, 1, now())`, program)
		mustExec(t, conn, "insert into audit_log (at, operation, merchant_id, client) values (now(), 'x', $1, 'x')", program)
		for _, table := range []string{"ledger_entries", "audit_log"} {
			for statement, want := range map[string]string{
				"update " + table + " set program_id = program_id": "refused", "truncate " + table: "refused", "delete from " + table: c.deleting,
			} {
				_, err := conn.Exec(t.Context(), "begin")
				must(t, err)
				got := "allowed"
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					got = "refused"
					if !strings.Contains(err.Error(), "append-only") {
						t.Errorf("%s: %s: %v", c.name, statement, err)
					}
				}
				_, err = conn.Exec(t.Context(), "rollback")
				must(t, err)
				if got != want {
					t.Errorf("%s: %s is %s, want %s", c.name, statement, got, want)
				}
			}
		}
		for _, statement := range []string{"update installation set sandbox = not sandbox", "delete from installation", "truncate installation"} {
			if _, err := conn.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "a database stays what it was installed as") {
				t.Errorf("%s: %s: %v", c.name, statement, err)
			}
		}
	}
}

// TestOnlyTheRoleOfASandboxMakesAndDeletesWorlds: on a real server the database refuses.
func TestOnlyTheRoleOfASandboxMakesAndDeletesWorlds(t *testing.T) {
	t.Parallel()
	user := store.User{Email: "ada@example.com", PasswordHash: "none", Role: store.RoleIssuer}
	neighbour := store.User{Email: "neighbour@example.com", PasswordHash: "none", Role: store.RoleIssuer}
	add := func(st *store.Store) error {
		return store.Do(t.Context(), st, func(tx *store.Tx) error {
			_, err := tx.AddWorld(t.Context(), store.WorldSpec{
				Name: "w", Merchant: "Merchant", Programs: []string{"Program"}, Users: []store.User{user}, Neighbour: neighbour,
			})
			return err
		})
	}
	serving := func(url string) *store.Store {
		st, err := store.Open(t.Context(), storetest.Serving(url), store.Options{MaxConns: 2})
		must(t, err)
		t.Cleanup(st.Close)
		return st
	}
	if err := add(serving(storetest.URL(t))); store.Denied(err) == "" {
		t.Errorf("a real server makes a world: %v", err)
	}
	sandbox := serving(storetest.Sandbox(t))
	must(t, add(sandbox))
	if err := add(sandbox); !errors.Is(err, store.ErrWorldExists) {
		t.Errorf("the second world of a name: %v", err)
	}
	entry := store.AuditEntry{Operation: "deleteWorld", Client: "test"}
	must(t, sandbox.DeleteWorld(t.Context(), "w", entry))
	if err := sandbox.DeleteWorld(t.Context(), "w", entry); !errors.Is(err, store.ErrWorldNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

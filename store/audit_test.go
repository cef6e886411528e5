package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store"
	"giftcards/store/id"
)

func (f fixture) audit(t *testing.T, e store.AuditEntry) {
	t.Helper()
	commit(t, f.Store, func(tx *store.Tx) error { return tx.Audit(t.Context(), e) })
}

func (f fixture) entries(t *testing.T, merchant, user id.ID, since time.Time, limit int) []store.AuditEntry {
	t.Helper()
	entries, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) ([]store.AuditEntry, error) {
		return tx.AuditEntries(t.Context(), merchant, user, since, limit)
	})
	must(t, err)
	return entries
}

func TestTheAuditLogIsAppendOnlyEvenForItsOwner(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.audit(t, store.AuditEntry{Operation: "one", Client: "test"})
	for _, statement := range []string{
		"update audit_log set client = 'x'", "update audit_log set at = '-infinity'", "delete from audit_log", "truncate audit_log",
	} {
		_, err := f.Pool().Exec(t.Context(), statement)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42501" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if got := f.entries(t, id.ID{}, id.ID{}, time.Time{}, 10); len(got) != 1 || got[0].Client != "test" {
		t.Errorf("the log is %+v", got)
	}
}

func TestAnEntryIsGoneWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		must(t, tx.Audit(t.Context(), store.AuditEntry{Operation: "undone", Client: "test"}))
		return context.Canceled
	})
	if got := f.entries(t, id.ID{}, id.ID{}, time.Time{}, 10); err == nil || len(got) != 0 {
		t.Errorf("%v, and the log is %+v", err, got)
	}
}

func TestTheAuditLogIsFilteredAndNewestFirst(t *testing.T) {
	t.Parallel()
	f := setup(t)
	start := f.Clock()
	merchant, user := f.merchant, id.New(start)
	f.audit(t, store.AuditEntry{Operation: "of the program", ProgramID: f.program, Client: "test"})
	f.audit(t, store.AuditEntry{Operation: "of the user", MerchantID: merchant, UserID: user, Client: "test"})
	f.audit(t, store.AuditEntry{Operation: "of nobody", Client: "test"})
	for name, c := range map[string]struct {
		got  []store.AuditEntry
		want []string
	}{
		"all":      {f.entries(t, id.ID{}, id.ID{}, start, 10), []string{"of nobody", "of the user", "of the program"}},
		"merchant": {f.entries(t, merchant, id.ID{}, start, 10), []string{"of the user", "of the program"}},
		"user":     {f.entries(t, id.ID{}, user, start, 10), []string{"of the user"}},
		"limit":    {f.entries(t, id.ID{}, id.ID{}, start, 1), []string{"of nobody"}},
		"future":   {f.entries(t, id.ID{}, id.ID{}, start.Add(time.Hour), 10), nil},
	} {
		if len(c.got) != len(c.want) {
			t.Errorf("%s: %+v", name, c.got)
			continue
		}
		for i, e := range c.got {
			if e.Operation != c.want[i] {
				t.Errorf("%s: entry %d is %q, want %q", name, i, e.Operation, c.want[i])
			}
		}
	}
}

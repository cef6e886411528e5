package store_test

import (
	"errors"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// sweep deletes what has expired, batch rows of each kind.
func (f fixture) sweep(t *testing.T, batch int) int64 {
	t.Helper()
	return write(t, f.Store, func(tx *store.Tx) (int64, error) { return tx.DeleteExpired(t.Context(), storetest.Lifetimes, batch) })
}

// TestThingsLastForTheirTimeAndNoLonger: rows of each kind still exist a minute before the end of
// their lifetime, and are gone a minute after it.
func TestThingsLastForTheirTimeAndNoLonger(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	f := setup(t)
	f.clock.Move(-1000 * day) // the database refuses to delete audit entries of the last 30 days of its own clock
	email := "ada@example.com"
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		task, err := tx.AddTask(t.Context(), store.Access{}, f.terms(t), 2, []store.Recipient{{Email: &email}, {}})
		must(t, err)
		_, err = tx.AddTask(t.Context(), store.Access{}, f.terms(t), 2, nil) // it stays unfinished
		must(t, err)
		must(t, tx.IssueTask(t.Context(), f.program, task.ID, func(int) {})) // writes to the audit log
		return task, tx.RevokeToken(t.Context(), "t", tx.Now().Add(12*time.Hour))
	})
	_, err := store.Once(t.Context(), f.Store, f.access, f.key("k", ""), func(*store.Tx) (store.Answer, error) { return store.Answer{Status: 201, Body: []byte("{}")}, nil })
	must(t, err)
	f.exec(t, "update messages set status = 'sent', attempts = 1, sent_at = $1", f.Clock())
	if _, err := f.CheckBalance(t.Context(), nil, "9000000000000000", "123456"); !errors.Is(err, store.ErrCardNotFound) {
		t.Fatal(err)
	}
	elapsed := time.Duration(0)
	for _, step := range []struct {
		at    time.Duration
		gone  int64
		there string
	}{
		{time.Hour - time.Minute, 0, "code_failures"}, // it does not count any more, but may for a slow clock
		{time.Hour + time.Minute, 1, ""},
		{13*time.Hour - time.Minute, 0, "revoked_tokens"}, // expired an hour ago, but a slow clock still accepts them
		{13*time.Hour + time.Minute, 1, ""},
		{storetest.Lifetimes.Keys - time.Minute, 0, "bulk_tasks where status = 'completed'"},
		{storetest.Lifetimes.Keys + time.Minute, 2, "bulk_tasks where status = 'pending'"}, // task and key go together
		{storetest.Lifetimes.Messages - time.Minute, 0, "messages"},
		{storetest.Lifetimes.Messages + time.Minute, 1, ""},
		{storetest.Lifetimes.Audit - time.Minute, 0, "audit_log"},
		{storetest.Lifetimes.Audit + time.Minute, 1, "gift_cards"},
	} {
		f.clock.Move(step.at - elapsed)
		elapsed = step.at
		if gone := f.sweep(t, 10); gone != step.gone {
			t.Errorf("after %s %d rows went, want %d", step.at, gone, step.gone)
		}
		if step.there != "" && f.count(t, step.there) == 0 {
			t.Errorf("after %s there is nothing in %s", step.at, step.there)
		}
	}
	for _, from := range []string{"code_failures", "revoked_tokens", "idempotency_keys", "messages", "audit_log", "bulk_tasks where status <> 'pending'"} {
		if n := f.count(t, from); n != 0 {
			t.Errorf("%d rows of %s are there for ever", n, from)
		}
	}
	for cards, err := range f.Pages(t.Context(), task.CardRange()) {
		if must(t, err); len(cards) != 2 {
			t.Errorf("%d cards, want both", len(cards))
		}
	}
}

// TestMessagesAgeFromTheirEnd and not from the card's creation, because a card may be old when its
// message is sent. A scheduled message stays, however old it is.
func TestMessagesAgeFromTheirEnd(t *testing.T) {
	t.Parallel()
	f := setup(t)
	email := "ada@example.com"
	old := f.Clock().Add(-200 * 24 * time.Hour)
	cards := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), []store.Recipient{{Email: &email}, {Email: &email}, {Email: &email}, {Email: &email}, {Email: &email}})
	})
	for i, set := range []string{
		"status = 'sent', attempts = 1, sent_at = $3", "status = 'sent', attempts = 1, sent_at = $2", // long ago, and now
		"status = 'failed', give_up_at = $3, next_attempt_at = $2", "status = 'failed', give_up_at = $2, next_attempt_at = $3",
		"give_up_at = $3, next_attempt_at = $2", // scheduled still
	} {
		f.exec(t, "update messages set card_id = $4, "+set+" where card_id = $1 and $2::timestamptz is not null and $3::timestamptz is not null",
			cards[i].ID[:], f.Clock(), old, id.Least(old.Add(time.Duration(i)*time.Second)))
	}
	if gone := f.sweep(t, 10); gone != 2 {
		t.Errorf("%d messages went, want the two that ended long ago", gone)
	}
	if n := f.count(t, "messages where status = 'scheduled' or sent_at > now() - interval '1 day' or give_up_at > now() - interval '1 day'"); n != 3 {
		t.Errorf("%d messages of those to be kept", n)
	}
}

func TestDeletingIsDoneInBatches(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Move(-1000 * 24 * time.Hour)
	for range 5 {
		f.audit(t, store.AuditEntry{Operation: "test", Client: "test"})
	}
	f.clock.Move(1000 * 24 * time.Hour)
	f.audit(t, store.AuditEntry{Operation: "test", Client: "test"})
	for _, want := range []int64{2, 2, 1, 0} {
		if gone := f.sweep(t, 2); gone != want {
			t.Errorf("%d rows went, want %d", gone, want)
		}
	}
}

// TestABatchOfMessagesIsOfAllPrograms together: there is no batch for each program.
func TestABatchOfMessagesIsOfAllPrograms(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Move(-1000 * 24 * time.Hour)
	email := "ada@example.com"
	for range 3 {
		terms := f.terms(t)
		terms.ProgramID = storetest.Program(t, f.Store).ID
		write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
			return tx.IssueCards(t.Context(), terms, []store.Recipient{{Email: &email}, {Email: &email}})
		})
	}
	f.exec(t, "update messages set status = 'sent', attempts = 1, sent_at = $1", f.Clock())
	f.clock.Move(1000 * 24 * time.Hour)
	for _, want := range []int64{4, 2, 0} {
		if gone := f.sweep(t, 4); gone != want {
			t.Errorf("%d rows went, want %d", gone, want)
		}
	}
}

// TestTheDatabaseKeepsTheLast30DaysOfTheAuditLog, whatever the settings of a server are.
func TestTheDatabaseKeepsTheLast30DaysOfTheAuditLog(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Move(-30*24*time.Hour + time.Minute)
	f.audit(t, store.AuditEntry{Operation: "test", Client: "test"})
	if _, err := f.Pool().Exec(t.Context(), "select expire_audit_log(now(), 10)"); err == nil || f.count(t, "audit_log") != 1 {
		t.Errorf("an entry of the last 30 days went (%v)", err)
	}
}

// TestCardsThatVersion010IssuesAreCountedLater: the statements of version 0.1.0 do not count cards.
// The recount adds the missing cards, once, also while other cards are issued.
func TestCardsThatVersion010IssuesAreCountedLater(t *testing.T) {
	t.Parallel()
	f := setup(t)
	recount := func(want int64) {
		t.Helper()
		wrong, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (int64, error) { return tx.RecountCards(t.Context()) })
		must(t, err)
		if wrong != want {
			t.Errorf("%d totals were wrong, want %d", wrong, want)
		}
	}
	counted := func(want int64) {
		t.Helper()
		report, err := f.ReportBusiness(t.Context(), f.program, f.Clock())
		must(t, err)
		if report.Cards != want || report.Pending != want {
			t.Errorf("%d cards and %d pending, want %d", report.Cards, report.Pending, want)
		}
	}
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 3))
	})
	recount(0)
	counted(3)
	f.exec(t, `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at)
		select $1, int4send(i) || '\x0000000000000000'::bytea, i, '', 1, true, now() + interval '1 year', now() from generate_series(1, 4) as i`, f.program)
	counted(3)
	// While another recount has the lock, this one must not add the same cards.
	write(t, f.Store, func(tx *store.Tx) (struct{}, error) {
		wrong, err := tx.RecountCards(t.Context())
		must(t, err)
		if wrong != 1 {
			t.Errorf("%d totals were wrong, want 1", wrong)
		}
		recount(0)
		return struct{}{}, nil
	})
	recount(0)
	counted(7)
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 1))
	})
	recount(0)
	counted(8)
}

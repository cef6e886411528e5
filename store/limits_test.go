package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// instances returns two stores on one database. They share a clock, which stands still at noon in
// UTC.
func instances(t *testing.T) (f, other fixture) {
	t.Helper()
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(t, err)
	url, clock := storetest.URL(t), &storetest.Clock{}
	clock.Stop()
	noon := clock.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	clock.Move(noon.Sub(clock.Now()))
	open := func() *store.Store {
		s, err := store.Open(t.Context(), url, store.Options{Keys: keys, Now: clock.Now, MaxConns: 6, ShareTransactions: true})
		must(t, err)
		t.Cleanup(s.Close)
		return s
	}
	f = fixture{Store: open(), clock: clock}
	program := storetest.Program(t, f.Store)
	f.program, f.merchant, f.access = program.ID, program.MerchantID, storetest.Access(t, f.Store, program.ID)
	other = f
	other.Store = open()
	return f, other
}

// limit sets limits. A negative number of cards, or an empty value, means no limit.
func (f fixture) limit(t *testing.T, scope id.ID, cards int64, value string) {
	t.Helper()
	var limits store.Limits
	if cards >= 0 {
		limits.CardsPerDay = &cards
	}
	if value != "" {
		parsed, err := money.Parse(value)
		must(t, err)
		limits.ValuePerDay = &parsed
	}
	commit(t, f.Store, func(tx *store.Tx) error { return tx.SetLimits(t.Context(), scope, limits) })
}

// worth returns the terms of cards of a value.
func (f fixture) worth(t *testing.T, value string) store.Terms {
	t.Helper()
	terms := f.terms(t)
	parsed, err := money.Parse(value)
	must(t, err)
	terms.InitialValue, terms.IssuedBy = parsed, f.access.User.ID
	return terms
}

func (f fixture) bulk(ctx context.Context, terms store.Terms, cards int) error {
	_, err := store.Write(ctx, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(ctx, terms, make([]store.Recipient, cards))
	})
	return err
}

func (f fixture) addTask(ctx context.Context, terms store.Terms, cards int) (store.Task, error) {
	return store.Write(ctx, f.Store, func(tx *store.Tx) (store.Task, error) { return tx.AddTask(ctx, store.Access{}, terms, cards, nil) })
}

// total returns the total of a scope on the day of the clock, as "cards value".
func (f fixture) total(t *testing.T, scope id.ID) (total string) {
	t.Helper()
	must(t, f.Pool().QueryRow(t.Context(), `select coalesce(max(cards || ' ' || value), 'nothing')
		from issued_totals where scope = $1 and day = $2`, scope, f.Clock()).Scan(&total))
	return total
}

// wantRefused fails unless err is a Forbidden error with exactly these words.
func wantRefused(t *testing.T, what string, err error, words string) {
	t.Helper()
	if refused, ok := errors.AsType[*store.Error](err); !ok || refused.Kind != store.Forbidden || refused.Message != words {
		t.Errorf("%s: error %v, want the refusal %q", what, err, words)
	}
}

// TestExactlyAsManyCardsAsTheLimitAllowsAreIssued by 60 creates at the same moment on
// two instances.
func TestExactlyAsManyCardsAsTheLimitAllowsAreIssued(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	f.limit(t, f.program, 13, "")
	results := make([]created, 60)
	var all sync.WaitGroup
	for i := range results {
		on := []fixture{f, other}[i%2]
		all.Go(func() { results[i] = on.create(t.Context(), f.terms(t), f.key(fmt.Sprint(i), "")) })
	}
	all.Wait()
	issued := 0
	for i, c := range results {
		if c.err == nil {
			issued++
			continue
		}
		wantRefused(t, fmt.Sprintf("create %d", i), c.err, "Daily limit of the program reached: cards are limited to 13 a day, 0 left until midnight UTC")
	}
	if issued != 13 {
		t.Errorf("%d creates succeeded, want 13", issued)
	}
	f.wantCardsAndKeys(t, 13, 13)
	if got := f.total(t, f.program); !strings.HasPrefix(got, "13 ") {
		t.Errorf("counted: %s", got)
	}
}

// TestALimitHoldsForAllWaysOfIssuingTogether, at the same moment on two instances. Creates, bulk
// requests that are carried out at once, and tasks lock the same two totals.
func TestALimitHoldsForAllWaysOfIssuingTogether(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	f.limit(t, f.program, 25, "")
	f.limit(t, f.access.User.ID, 23, "")
	var promised atomic.Int64
	var all sync.WaitGroup
	for i := range 30 {
		on, terms := []fixture{f, other}[i%2], f.worth(t, "1")
		cards, err := int64(0), error(nil)
		all.Go(func() {
			switch i % 3 {
			case 0:
				cards, err = 1, on.create(t.Context(), terms, nil).err
			case 1:
				cards, err = 3, on.bulk(t.Context(), terms, 3)
			case 2:
				cards = 4
				_, err = on.addTask(t.Context(), terms, 4)
			}
			refused, ok := errors.AsType[*store.Error](err)
			switch {
			case err == nil:
				promised.Add(cards)
			case !ok || refused.Kind != store.Forbidden:
				t.Errorf("request %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if most := promised.Load(); most > 23 {
		t.Fatalf("%d cards were promised, above the limit of 23", most)
	}
	// The requests for several cards may leave a rest of the limit, which single cards use up.
	for f.create(t.Context(), f.terms(t), nil).err == nil {
		promised.Add(1)
	}
	if promised.Load() != 23 || f.total(t, f.program) != f.total(t, f.access.User.ID) {
		t.Errorf("%d cards were promised, want 23; counted: program %s, user %s", promised.Load(), f.total(t, f.program), f.total(t, f.access.User.ID))
	}
}

// TestARequestAboveALimitIsRefusedWhole: the words name the limit, and nothing is counted. Values
// are summed exactly.
func TestARequestAboveALimitIsRefusedWhole(t *testing.T) {
	t.Parallel()
	f, _ := instances(t)
	user := f.access.User.ID
	f.limit(t, f.program, -1, "40.03")
	f.limit(t, user, 5, "1000")
	must(t, f.bulk(t.Context(), f.worth(t, "10.005"), 2))
	if got := f.total(t, f.program); got != "2 20.010" {
		t.Errorf("counted: %s", got)
	}
	const tooMuch = "Daily limit of the program reached: value is limited to 40.03 a day, 20.02 left until midnight UTC"
	wantRefused(t, "a bulk request", f.bulk(t.Context(), f.worth(t, "10.015"), 2), tooMuch)
	_, err := f.addTask(t.Context(), f.worth(t, "10.015"), 2)
	wantRefused(t, "a task", err, tooMuch)
	wantRefused(t, "a create", f.create(t.Context(), f.worth(t, "20.0201"), nil).err, "Daily limit of the program reached: value is limited to 40.03 a day, 20.02 left until midnight UTC")
	wantRefused(t, "cards above the user's limit", f.bulk(t.Context(), f.worth(t, "0.01"), 4), "Daily limit of the user reached: cards are limited to 5 a day, 3 left until midnight UTC")
	if f.total(t, f.program) != "2 20.010" || f.total(t, user) != "2 20.010" || f.count(t, "gift_cards") != 2 || f.count(t, "bulk_tasks") != 0 {
		t.Errorf("after refusals: program %s, user %s, %d cards, %d tasks", f.total(t, f.program), f.total(t, user), f.count(t, "gift_cards"), f.count(t, "bulk_tasks"))
	}
	must(t, f.create(t.Context(), f.worth(t, "20.02"), nil).err)
	wantRefused(t, "one cent more", f.create(t.Context(), f.worth(t, "0.01"), nil).err, "Daily limit of the program reached: value is limited to 40.03 a day, 0.00 left until midnight UTC")

	// If a limit is lowered below the total, 0 is left, and not less.
	f.limit(t, f.program, -1, "5")
	wantRefused(t, "below what is issued", f.create(t.Context(), f.worth(t, "0.01"), nil).err, "Daily limit of the program reached: value is limited to 5.00 a day, 0.00 left until midnight UTC")
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RemoveLimits(t.Context(), f.program) })
	must(t, f.create(t.Context(), f.worth(t, "900"), nil).err) // within the user's limit
}

// TestAReplayIsNeitherCountedNorRefused, and a refused request leaves its key free.
func TestAReplayIsNeitherCountedNorRefused(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	before := f.create(t.Context(), f.terms(t), f.key("before the limit", ""))
	f.limit(t, f.program, 1, "")
	first := f.create(t.Context(), f.terms(t), f.key("first", ""))
	must(t, errors.Join(before.err, first.err))
	for name, answer := range map[string]store.Answer{"first": first.answer, "before the limit": before.answer} {
		for _, on := range []fixture{f, other} {
			replay := on.create(t.Context(), f.terms(t), f.key(name, ""))
			if replay.err != nil || !replay.answer.Replayed || string(replay.answer.Body) != string(answer.Body) {
				t.Errorf("replay of %q: %+v", name, replay)
			}
		}
	}
	if reused := f.create(t.Context(), f.terms(t), f.key("first", "another")); !errors.Is(reused.err, store.ErrKeyReused) {
		t.Errorf("key used for another request: %v", reused.err)
	}
	if second := f.create(t.Context(), f.terms(t), f.key("second", "")); second.err == nil {
		t.Error("a second card was issued above a limit of 1")
	}
	f.wantCardsAndKeys(t, 2, 2)
	f.limit(t, f.program, 2, "")
	must(t, f.create(t.Context(), f.terms(t), f.key("second", "another body")).err)
	f.wantCardsAndKeys(t, 3, 3)
}

// TestALimitSetOnAnotherInstanceHoldsAtOnce, also for a user who shares a transaction with a user
// without a limit. A refused create is not in the audit log.
func TestALimitSetOnAnotherInstanceHoldsAtOnce(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	unlimited := f
	unlimited.access = storetest.Access(t, f.Store, f.program)
	must(t, f.create(t.Context(), f.terms(t), nil).err)
	other.limit(t, f.access.User.ID, 0, "")
	results := f.together(t, nil,
		func() created { return f.create(t.Context(), f.terms(t), nil) },
		func() created { return unlimited.create(t.Context(), f.terms(t), nil) },
		func() created { return unlimited.create(t.Context(), f.terms(t), nil) },
	)
	wantRefused(t, "above the limit", results[0].err, "Daily limit of the user reached: cards are limited to 0 a day, 0 left until midnight UTC")
	must(t, errors.Join(results[1].err, results[2].err))
	if entries := f.entries(t, id.ID{}, f.access.User.ID, time.Time{}, 10); len(entries) != 1 {
		t.Errorf("%d entries in the audit log of a user who issued 1 card", len(entries))
	}
}

// TestACreateWithinALimitHasTheSameAuditEntry as one without a limit.
func TestACreateWithinALimitHasTheSameAuditEntry(t *testing.T) {
	t.Parallel()
	f, _ := instances(t)
	must(t, f.create(t.Context(), f.terms(t), nil).err)
	f.limit(t, f.program, 1, "")
	within := f.create(t.Context(), f.terms(t), nil)
	must(t, within.err)
	entries := f.entries(t, id.ID{}, f.access.User.ID, time.Time{}, 10)
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	for i := range entries {
		if fmt.Sprintf("%x", entries[i].Subject) == string(within.answer.Body) { // the answer is the card's id
			entries[i].Subject = entries[1-i].Subject
		}
	}
	if got, want := fmt.Sprintf("%+v", dereferenced(entries[0])), fmt.Sprintf("%+v", dereferenced(entries[1])); got != want {
		t.Errorf("entries differ:\n%s\n%s", got, want)
	}
}

func dereferenced(e store.AuditEntry) any {
	return []any{e.At, e.Operation, e.UserID, e.MerchantID, e.ProgramID, e.Subject, e.Cards, e.Client, *e.RequestID}
}

// TestACreateThatWaitedForALimitChecksItsAccessAgain: the user is deactivated while the
// create waits for the day's totals.
func TestACreateThatWaitedForALimitChecksItsAccessAgain(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	f.limit(t, f.program, 10, "")
	lock, err := other.Pool().Begin(t.Context())
	must(t, err)
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = lock.Exec(t.Context(), "lock table issued_totals in exclusive mode")
	must(t, err)
	done := make(chan created, 1)
	go func() { done <- f.create(t.Context(), f.worth(t, "5"), f.key("waits", "")) }()
	check.Until(t, "a create that waits for the totals", func() bool { return len(f.blocked(t)) > 0 })
	write(t, other.Store, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), f.access.User.Email, false) })
	must(t, lock.Rollback(t.Context()))
	if result := <-done; !errors.Is(result.err, store.ErrAccessChanged) {
		t.Errorf("a create of a deactivated user: %+v", result)
	}
	f.wantCardsAndKeys(t, 0, 0)
}

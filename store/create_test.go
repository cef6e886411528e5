package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// together makes all creates wait at the same moment, so that they share transactions. It returns
// their results. meanwhile runs while they wait, and may be nil.
func (f fixture) together(t *testing.T, meanwhile func(), creates ...func() created) []created {
	t.Helper()
	lock, err := f.Pool().Begin(t.Context())
	must(t, err)
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = lock.Exec(t.Context(), "lock table gift_cards in exclusive mode")
	must(t, err)
	var all sync.WaitGroup
	for i := range store.SharedAtOnce { // these occupy the transactions
		all.Go(func() { f.create(t.Context(), f.terms(t), nil) })
		check.Until(t, "a creation that waits for the lock", func() bool { return len(f.blocked(t)) == i+1 })
	}
	results := make([]created, len(creates))
	for i, do := range creates {
		all.Go(func() { results[i] = do() })
	}
	check.Until(t, "all creations in the queue", func() bool { return store.WaitingCreates(f.Store) == len(creates) })
	if meanwhile != nil {
		meanwhile()
	}
	must(t, lock.Rollback(t.Context()))
	all.Wait()
	return results
}

// transactions returns how many transactions wrote the cards, and how many cards the largest
// one wrote.
func (f fixture) transactions(t *testing.T) (n, most int) {
	t.Helper()
	must(t, f.Pool().QueryRow(t.Context(), `select count(*), max(cards)
		from (select count(*) as cards from gift_cards group by xmin::text) of_one`).Scan(&n, &most))
	return n, most
}

func TestCreatesThatWaitShareATransaction(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	creates := make([]func() created, 30)
	for i := range creates {
		creates[i] = func() created { return f.create(t.Context(), f.terms(t), f.key(fmt.Sprint(i), "")) }
	}
	ids := map[string]bool{}
	for _, c := range f.together(t, nil, creates...) {
		must(t, c.err)
		ids[string(c.answer.Body)] = true
	}
	if len(ids) != len(creates) || f.count(t, "gift_cards") != len(creates)+store.SharedAtOnce {
		t.Errorf("%d answers, %d cards", len(ids), f.count(t, "gift_cards"))
	}
	if n, _ := f.transactions(t); n > 2*store.SharedAtOnce {
		t.Errorf("%d transactions, want at most %d", n, 2*store.SharedAtOnce)
	}
	if n := f.count(t, "messages"); n != len(creates)+store.SharedAtOnce {
		t.Errorf("%d messages", n)
	}
}

// TestAMessageOfACreateIsDueWhenAskedForOrAtOnce: a time in the past counts as now. This holds for
// a create alone and for creates that share a transaction.
func TestAMessageOfACreateIsDueWhenAskedForOrAtOnce(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	future, past := f.Clock().Add(time.Hour), f.Clock().Add(-time.Hour)
	asked := []*time.Time{nil, &past, &future}
	var creates []func() created
	var alone []created
	for _, deliverAt := range asked {
		terms := f.terms(t)
		terms.DeliverAt = deliverAt
		creates = append(creates, func() created { return f.create(t.Context(), terms, nil) })
		alone = append(alone, creates[len(creates)-1]())
	}
	for i, c := range append(alone, f.together(t, nil, creates...)...) {
		must(t, c.err)
		var sendAt, nextAttemptAt, want time.Time
		must(t, f.Pool().QueryRow(t.Context(), `select send_at, next_attempt_at, c.created_at
			from messages join gift_cards c on c.id = card_id where encode(card_id, 'hex') = $1`, string(c.answer.Body)).Scan(&sendAt, &nextAttemptAt, &want))
		deliverAt := asked[i%len(asked)]
		if deliverAt == &future {
			want = future
		}
		if !sendAt.Equal(want) || !nextAttemptAt.Equal(want) {
			t.Errorf("create %d, asked for %v: to be sent %s, due %s, want %s", i, deliverAt, sendAt, nextAttemptAt, want)
		}
	}
}

func TestEachCreateInASharedTransactionIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	var issuers []fixture
	var creates []func() created
	for range 3 {
		issuer := f
		issuer.access = storetest.Access(t, f.Store, f.program)
		issuers = append(issuers, issuer)
		creates = append(creates, func() created { return issuer.create(t.Context(), f.terms(t), nil) })
	}
	for i, c := range f.together(t, nil, creates...) {
		must(t, c.err)
		access := issuers[i].access
		entries := f.entries(t, id.ID{}, access.User.ID, time.Time{}, 10)
		if len(entries) != 1 {
			t.Errorf("%d entries of user %d, who issued a card", len(entries), i)
			continue
		}
		e := entries[0]
		if e.MerchantID != f.merchant || e.ProgramID != f.program || fmt.Sprintf("%x", e.Subject) != string(c.answer.Body) || e.Cards != 1 ||
			e.Operation != "createGiftCard" || e.Client != "192.0.2.1" || e.RequestID == nil || *e.RequestID != "request of "+access.TokenID ||
			e.ClientRequestID == nil || *e.ClientRequestID != "the caller's, of "+access.TokenID {
			t.Errorf("the entry of card %s is %+v", c.answer.Body, e)
		}
	}
}

func TestABadCreateFailsAloneInASharedTransaction(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	tooMuch := f.terms(t)
	var err error
	tooMuch.InitialValue, err = money.Parse("10001") // the database refuses it
	must(t, err)
	creates := make([]func() created, 9)
	for i := range creates {
		terms := f.terms(t)
		if i == 4 {
			terms = tooMuch
		}
		creates[i] = func() created { return f.create(t.Context(), terms, f.key(fmt.Sprint(i), "")) }
	}
	for i, c := range f.together(t, nil, creates...) {
		if bad := i == 4; bad != (c.err != nil) {
			t.Errorf("create %d: %v", i, c.err)
		}
	}
	f.wantCardsAndKeys(t, 8+store.SharedAtOnce, 8)
}

func TestOneKeyTwiceInASharedTransactionIssuesOnce(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	results := f.together(t, nil,
		func() created { return f.create(t.Context(), f.terms(t), f.key("a", "same")) },
		func() created { return f.create(t.Context(), f.terms(t), f.key("a", "same")) },
		func() created { return f.create(t.Context(), f.terms(t), f.key("b", "")) },
	)
	first, second := results[0], results[1]
	must(t, errors.Join(first.err, second.err, results[2].err))
	if string(first.answer.Body) != string(second.answer.Body) || first.answer.Replayed == second.answer.Replayed {
		t.Errorf("answers %+v and %+v", first.answer, second.answer)
	}
	f.wantCardsAndKeys(t, 2+store.SharedAtOnce, 2)

	if again := f.create(t.Context(), f.terms(t), f.key("a", "another")); !errors.Is(again.err, store.ErrKeyReused) {
		t.Errorf("key used for another request: %v", again.err)
	}
	f.wantCardsAndKeys(t, 2+store.SharedAtOnce, 2)
}

func TestATakenNumberIsDrawnAnewInASharedTransaction(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	store.NarrowNumbers(f.Store, space, 40)
	creates := make([]func() created, 15) // 17 of 40 numbers: some will be drawn twice
	for i := range creates {
		creates[i] = func() created { return f.create(t.Context(), f.terms(t), f.key(fmt.Sprint(i), "")) }
	}
	for _, c := range f.together(t, nil, creates...) {
		must(t, c.err)
	}
	f.wantCardsAndKeys(t, len(creates)+store.SharedAtOnce, len(creates))
}

func TestAClosedStoreRefusesCreates(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	f.Close()
	if c := f.create(t.Context(), f.terms(t), nil); !store.IsUnavailable(c.err) {
		t.Errorf("create on a closed store: %v", c.err)
	}
}

// TestCreatesThatDoNotShareHaveTheSameGuarantees as creates that share transactions.
func TestCreatesThatDoNotShareHaveTheSameGuarantees(t *testing.T) {
	t.Parallel()
	f := setup(t)
	store.NarrowNumbers(f.Store, space, 40)
	results := make([]created, 12)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = f.create(t.Context(), f.terms(t), f.key(fmt.Sprint(i/2), "same")) })
	}
	all.Wait()
	for i := 0; i < len(results); i += 2 {
		a, b := results[i], results[i+1]
		must(t, errors.Join(a.err, b.err))
		if string(a.answer.Body) != string(b.answer.Body) || a.answer.Replayed == b.answer.Replayed {
			t.Errorf("answers %+v and %+v", a.answer, b.answer)
		}
	}
	f.wantCardsAndKeys(t, len(results)/2, len(results)/2)
	if n, _ := f.transactions(t); n != len(results)/2 {
		t.Errorf("%d transactions wrote %d cards", n, len(results)/2)
	}
}

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

func TestWithoutItsDatabaseTheServerAnswers503(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	s.Store.Close()
	answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`))
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "Service unavailable") || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// TestARequestThatWaitsTooLongForALockIsA503, because it may succeed a moment later.
func TestARequestThatWaitsTooLongForALockIsA503(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	owner, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer owner.Close(context.WithoutCancel(t.Context()))
	_, err = owner.Exec(t.Context(), "do $$ begin execute format('alter database %I set lock_timeout = ''50ms''', current_database()); end $$")
	must(t, err)
	s := servertest.NewOn(t, url, filepath.Join(t.TempDir(), "keys.json"))
	m := s.Merchant()
	create := func() servertest.Answer {
		header := http.Header{"Content-Type": jsonHeader["Content-Type"], "Idempotency-Key": {"a"}}
		return m.Do(http.MethodPost, m.Cards(), header, []byte(`{"initialValue":5,"merchantId":"`+m.ID+`"}`))
	}
	lock, err := owner.Begin(t.Context())
	must(t, err)
	_, err = lock.Exec(t.Context(), "lock table idempotency_keys in access exclusive mode")
	must(t, err)
	if answer := create(); answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("while another holds the lock: %d %s", answer.Status, answer.Body)
	}
	must(t, lock.Rollback(t.Context()))
	if answer := create(); answer.Status != http.StatusCreated {
		t.Errorf("after that: %d %s", answer.Status, answer.Body)
	}
}

// TestARequestThatWaitsTooLongForACardIsA409: one that may share a transaction, one that has its own,
// and one that makes a new card. It changes nothing: when the card is free, the same request
// succeeds under its key and is no replay.
func TestARequestThatWaitsTooLongForACardIsA409(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	redeemed, refunded, first, second := x.sell("25"), x.active(long), x.sell("1"), x.sell("2")
	redemption := x.entry(refunded, "REDEMPTION")
	requests := map[string]struct {
		card    giftCard // that another transaction holds; each waits for its own, so that they wait at the same time
		balance string   // of the card after a 200
		send    func() servertest.Answer
	}{
		"redeem":      {redeemed, "24", func() servertest.Answer { return x.ask(redeemed, "/redeem", "the key", `{"amount":1}`) }},
		"refund":      {refunded, "25", func() servertest.Answer { return x.ask(refunded, refundOf(redemption), "the key", `{}`) }},
		"consolidate": {second, "0", func() servertest.Answer { return x.consolidate("the key", "", first, second) }},
	}
	stored := func() string {
		return fmt.Sprintln(written(t, x.s), x.rows(redeemed), x.rows(refunded), x.rows(first), x.rows(second))
	}
	before, release := stored(), x.hold(redeemed, refunded, second)
	var sending sync.WaitGroup
	for name, r := range requests {
		sending.Go(func() {
			answer := r.send()
			wantDetail(t, name, answer, http.StatusConflict, store.ErrCardBusy.Message)
			if got := answer.Header.Get("Retry-After"); got != "1" {
				t.Errorf("%s: Retry-After %q", name, got)
			}
		})
	}
	sending.Wait()
	x.is("stored after the refusals", stored(), before)
	release()
	for name, r := range requests {
		answer := r.send()
		x.says(name+", when the card is free", answer, "200")
		if _, balance := x.state(r.card); balance != r.balance || answer.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: the balance is %s, want %s; replayed %q", name, balance, r.balance, answer.Header.Get("Idempotent-Replayed"))
		}
	}
}

// hold locks cards in a transaction of another client until release, or until the test ends.
func (x shop) hold(cards ...giftCard) (release func()) {
	x.t.Helper()
	other, err := pgx.Connect(x.t.Context(), x.s.DatabaseURL)
	must(x.t, err)
	release = func() { _ = other.Close(context.WithoutCancel(x.t.Context())) }
	x.t.Cleanup(release)
	_, err = other.Exec(x.t.Context(), "begin")
	must(x.t, err)
	for _, card := range cards {
		_, err = other.Exec(x.t.Context(), "select from gift_cards where id = decode($1, 'hex') for update", card.id)
		must(x.t, err)
	}
	return release
}

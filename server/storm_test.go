package server_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// TestEachKeyMovesMoneyOnceWhileLimitsAndAccessChange: clients of two instances use the same few
// keys, with equal and with other bodies, for every change of the same cards, while an operator
// changes the daily limit and the role of the user, and logs the user out. Each key has one answer,
// the ledger adds up, and the limit has counted exactly the money that was reloaded.
func TestEachKeyMovesMoneyOnceWhileLimitsAndAccessChange(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(full.Size(120, 50))
	s := &storm{traffic: f, sold: cards[:6], spare: cards[6:], answered: map[string]string{}, token: f.m.Token}
	program, err := id.Parse(f.m.ProgramID)
	must(t, err)
	const highest = 900
	s.limit(program, highest)
	stop, operator := make(chan struct{}), sync.WaitGroup{}
	operator.Go(func() { s.operate(program, highest, stop) })
	serveAll(24, full.Size(6_000, 1_200), 9, s.serve)
	close(stop)
	operator.Wait()
	for answer, count := range f.refused {
		if strings.HasPrefix(answer, "5") && answer != `503 {"detail":"Service unavailable"}` {
			t.Errorf("%d times %s", count, answer)
		}
	}
	t.Logf("refused: %v", f.refused)
	figures, err := store.Read(t.Context(), f.servers[0].Store, func(tx *store.Tx) (store.LedgerFigures, error) { return tx.VerifyLedger(t.Context(), id.ID{}) })
	must(t, err)
	var counted money.Amount
	must(t, f.servers[0].Store.Pool().QueryRow(t.Context(), "select value from issued_totals where scope = $1", program).Scan(&counted))
	reloaded := figures.ByType[store.EntryReload]
	if counted.Cmp(reloaded) != 0 || reloaded.Cmp(amount(t, fmt.Sprint(highest))) > 0 || reloaded.IsZero() {
		t.Errorf("%s was reloaded, the limit has counted %s and was %d at most", reloaded, counted, highest)
	}
	for _, kind := range []string{store.EntryRedemption, store.EntryTransferIn, store.EntryConsolidation, store.EntryVoid} {
		if _, moved := figures.ByType[kind]; !moved {
			t.Errorf("there is no entry %s: the test proves nothing about it", kind)
		}
	}
}

// storm sends changes of a few cards under a few keys.
type storm struct {
	*traffic
	mutex    sync.Mutex
	sold     []giftCard
	spare    []giftCard // that were not used yet
	token    string
	answered map[string]string // request and answer by path and key
}

func (s *storm) limit(program id.ID, value int) {
	limit := amount(s.t, fmt.Sprint(value))
	storetest.AsOwner(s.t, s.servers[0].Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.SetLimits(s.t.Context(), program, store.Limits{ValuePerDay: &limit})
	})
}

// operate changes limit and access until the clients have ended.
func (s *storm) operate(program id.ID, highest int, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(30 * time.Millisecond):
		}
		s.limit(program, []int{highest, 10, highest / 2}[n%3])
		// Each role for a moment only, because it refuses most of the changes.
		for _, role := range []string{[]string{store.RoleReader, store.RoleCashier}[n%2], store.RoleIssuer} {
			change(s.t, s.servers[0], func(tx *store.Tx) (store.User, error) { return tx.SetRole(s.t.Context(), s.m.Email, role) })
		}
		if n%7 == 6 && n < 50 { // logins have a limit of their own
			logout := httptest.NewRequest(http.MethodPost, "/v2/token/logout", nil)
			s.mutex.Lock()
			logout.Header.Set("Authorization", "Bearer "+s.token)
			s.mutex.Unlock()
			s.servers[n%2].Handler.ServeHTTP(httptest.NewRecorder(), logout)
			token := s.servers[0].Login(s.m.Email, s.m.Password)
			s.mutex.Lock()
			s.token = token
			s.mutex.Unlock()
		}
	}
}

// serve sends one change.
func (s *storm) serve(n int, random *rand.Rand) {
	s.mutex.Lock()
	card, other := s.sold[random.IntN(len(s.sold))], s.sold[random.IntN(len(s.sold))]
	s.mutex.Unlock()
	value, at := 1+random.IntN(9), "/cards/"+card.id
	switch kind := random.IntN(40); {
	case kind < 10:
		s.keyed(n, random, at+"/redeem", fmt.Sprintf(`{"amount":%d}`, value))
	case kind < 20:
		s.keyed(n, random, at+"/reload", fmt.Sprintf(`{"amount":%d}`, value))
	case kind < 28:
		s.keyed(n, random, at+"/transfer", transferBody(card.code, other.number, fmt.Sprint(value)))
	case kind < 29:
		s.keyed(n, random, at+"/suspend", `{"reason":"storm"}`)
	case kind < 33:
		s.keyed(n, random, at+"/resume", `{}`)
	case kind < 38:
		s.keyed(n, random, "/consolidate", fmt.Sprintf(`{"cardNumbers":[%q,%q],"merchantId":%q}`, card.number, other.number, s.m.ID))
		s.replace(card)
	default:
		s.keyed(n, random, at+"/void", `{}`)
		s.replace(card)
	}
}

// replace gives the clients another card, so that there is always money.
func (s *storm) replace(old giftCard) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if at := slices.Index(s.sold, old); at >= 0 && len(s.spare) > 0 {
		s.sold[at], s.spare = s.spare[0], s.spare[1:]
	}
}

// keyed sends a request under one of few keys, and compares a success with the one before.
func (s *storm) keyed(n int, random *rand.Rand, path, body string) {
	key := fmt.Sprint(random.IntN(12))
	s.mutex.Lock()
	token := s.token
	s.mutex.Unlock()
	answer := s.exchange(n, path, token, http.Header{"Idempotency-Key": {key}}, body)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if answer.Code != http.StatusOK {
		s.refused[fmt.Sprint(answer.Code, " ", strings.TrimSpace(answer.Body.String()))]++
		return
	}
	if strings.HasSuffix(path, "/suspend") || strings.HasSuffix(path, "/resume") { // they take no key
		return
	}
	// The destination of a transfer and the cards of a consolidation are a part of the key.
	scope := path + " " + key
	if strings.HasSuffix(path, "/transfer") || path == "/consolidate" {
		scope += body[:len(body)-8]
	}
	if first, found := s.answered[scope]; found && first != body+answer.Body.String() {
		s.t.Errorf("%s was answered with\n%s and then with\n%s", scope, first, body+answer.Body.String())
	}
	s.answered[scope] = body + answer.Body.String()
}

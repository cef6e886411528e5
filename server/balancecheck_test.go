package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest/full"
)

const customerCheck = "/v2/giftcards/customer/balance-check"

func programCheck(program string) string {
	return "/v2/giftcards/programs/" + program + "/balance-check"
}

// checkBalanceAt asks for a balance without a token, from an address.
func checkBalanceAt(t *testing.T, s *servertest.Server, address, path, number, code string) servertest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q}`, number, code)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if address != "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	return s.Send(r)
}

func TestABalanceCheckShowsACardInEveryState(t *testing.T) {
	t.Parallel()
	x := shopOn(t, servertest.NewCounting(t))
	cards := make([]giftCard, len(ways))
	for i, way := range ways {
		cards[i] = way.bring(x)
	}
	x.passTime()
	balances := map[string]string{"active": "20.00", "suspended": "20.00", "expired": "20.00", "pending": "0.00", "voided": "0.00", "depleted": "0.00"}
	for i, way := range ways {
		balance, card := balances[way.state], cards[i]
		if strings.Contains(way.name, "before activation") {
			balance = "0.00"
		}
		for _, path := range []string{customerCheck, programCheck(x.m.ProgramID)} {
			answer := checkBalanceAt(t, x.s, "", path, card.number[:8]+" - "+card.number[8:], card.code)
			body := decode[api.BalanceCheckResponse](t, answer)
			if body.Id != card.id || body.ProgramId != x.m.ProgramID || body.CardNumber != card.number || body.LastFourDigits != card.number[12:] ||
				body.Balance.String() != balance || string(body.Status) != way.state || body.IsActive != (way.state == "active") {
				t.Errorf("%s: %s", way.name, answer.Body)
			}
			if answer.Statements != 1 {
				t.Errorf("%s: %d statements, want one", way.name, answer.Statements)
			}
		}
	}
}

// TestNobodyLearnsByABalanceCheckWhichNumbersExist: every wrong number or code gets the same answer
// after the same number of statements.
func TestNobodyLearnsByABalanceCheckWhichNumbersExist(t *testing.T) {
	t.Parallel()
	x := shopOn(t, servertest.NewCounting(t))
	card, foreign := x.sell("25"), shopOn(t, x.s).sell("25")
	ours := programCheck(x.m.ProgramID)
	for what, c := range map[string]struct{ path, number, code string }{
		"a wrong code":              {ours, card.number, card.wrong()},
		"a short code":              {ours, card.number, card.code[:5]},
		"no code":                   {ours, card.number, ""},
		"a code with a blank":       {ours, card.number, " " + card.code[:5]},
		"an unknown number":         {ours, "9000000000000000", "123456"},
		"another program's card":    {ours, foreign.number, foreign.code},
		"an unknown program":        {programCheck(strings.Repeat("0", 24)), card.number, card.code},
		"15 digits":                 {ours, card.number[:15], card.code},
		"no digits":                 {ours, "", card.code},
		"other digits":              {ours, "٩" + card.number[1:], card.code},
		"a wrong code, any program": {customerCheck, card.number, card.wrong()},
		"unknown number, any":       {customerCheck, "9000000000000001", "123456"},
	} {
		for _, stored := range []string{"", "suspended"} {
			if stored != "" {
				x.set(card, "status = 'suspended'")
			}
			_, err := x.s.Store.Pool().Exec(t.Context(), "delete from code_failures")
			must(t, err)
			answer := checkBalanceAt(t, x.s, "", c.path, c.number, c.code)
			wantDetail(t, what, answer, http.StatusNotFound, "Gift card not found")
			if answer.Statements != 2 {
				t.Errorf("%s: %d statements, want one to look and one to count", what, answer.Statements)
			}
			delete(answer.Header, "X-Request-Id")
			delete(answer.Header, "Date")
			if first := fmt.Sprint(answer.Header); !strings.Contains(first, "Content-Length:[33]") || len(answer.Header.Values("WWW-Authenticate")) > 0 {
				t.Errorf("%s: %s", what, first)
			}
		}
	}
}

func TestABalanceCheckLooksAtNoTokenAndNoOtherParameter(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.sell("25")
	for _, path := range []string{customerCheck + "?programId=" + strings.Repeat("0", 24) + "&cardId=" + strings.Repeat("0", 24), programCheck(x.m.ProgramID)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.s.URL+path,
			strings.NewReader(fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q,"captchaToken":"x"}`, card.number, card.code)))
		must(t, err)
		for name, value := range map[string]string{"Content-Type": "application/json", "Authorization": "Bearer nonsense", "X-Eposn-Customer-Token": "x", "X-Eposn-Merchant-Token": "y"} {
			r.Header.Set(name, value)
		}
		wantStatus(t, path, x.s.Send(r), http.StatusOK)
	}
}

// guessAll sends guesses at the same moment and counts the statuses of the answers.
func guessAll(handler http.Handler, path string, bodies []string) map[int]int {
	statuses, mutex := map[int]int{}, sync.Mutex{}
	var all sync.WaitGroup
	for _, body := range bodies {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			mutex.Lock()
			defer mutex.Unlock()
			statuses[answer.Code]++
		})
	}
	all.Wait()
	return statuses
}

// TestOfManyGuessesAtOnceFiveAreJudged: the right code is accepted only if it is among the first
// five. It resets the count, so there can be four wrong codes before it and five after it.
func TestOfManyGuessesAtOnceFiveAreJudged(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	for exists, card := range map[bool]giftCard{true: x.sell("25"), false: nowhere} {
		bodies := make([]string, full.Size(1000, 200))
		for i := range bodies {
			code := fmt.Sprintf("%06d", i)
			if i == len(bodies)/2 {
				code = card.code
			}
			bodies[i] = fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q}`, card.number, code)
		}
		got := guessAll(x.s.Handler, customerCheck, bodies)
		most := 5 + 4*got[http.StatusOK]
		if got[http.StatusNotFound] > most || got[http.StatusNotFound] < 5 || got[http.StatusOK]+got[http.StatusNotFound]+got[http.StatusTooManyRequests] != len(bodies) {
			t.Errorf("exists %t: %v, want at most %d wrong ones judged", exists, got, most)
		}
		wantStatus(t, "the right code afterwards", checkBalanceAt(t, x.s, "", customerCheck, card.number, card.code), http.StatusTooManyRequests)
	}
}

func balanceChecks(n int) func(*server.Options) {
	return func(o *server.Options) { o.BalanceChecks = n }
}

func TestAnAddressChecksFiveBalancesAMinuteOnBothOperationsTogether(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, balanceChecks(5))
	x := shopOn(t, s)
	card := x.sell("25")
	s.Clock.Stop()
	for range 20 { // a malformed request compares no code, and uses none of the quota
		wantStatus(t, "a malformed request", from(t, s, "192.0.2.1", http.MethodPost, customerCheck, "", `{}`), http.StatusUnprocessableEntity)
	}
	for i := range 5 {
		answer := checkBalanceAt(t, s, "192.0.2.1", []string{customerCheck, programCheck(x.m.ProgramID)}[i%2], card.number, card.code)
		wantStatus(t, "one of five", answer, http.StatusOK)
		if got, want := answer.Header.Get("RateLimit"), fmt.Sprintf(`"balance-check";r=%d;t=%d`, 4-i, 12*(i+1)); got != want {
			t.Errorf("RateLimit %s, want %s", got, want)
		}
	}
	for _, path := range []string{customerCheck, programCheck(x.m.ProgramID)} {
		wantTooMany(t, path, checkBalanceAt(t, s, "192.0.2.1", path, card.number, card.code), `"balance-check";q=5;w=60`, `"balance-check";r=0;t=12`, "12")
	}
	wantStatus(t, "another address", checkBalanceAt(t, s, "192.0.2.2", customerCheck, card.number, card.code), http.StatusOK)
	s.Clock.Move(12 * time.Second)
	wantStatus(t, "12 seconds later", checkBalanceAt(t, s, "192.0.2.1", customerCheck, card.number, card.code), http.StatusOK)
	wantStatus(t, "the address for everything else", from(t, s, "192.0.2.1", http.MethodGet, "/healthz", "", ""), http.StatusOK)
}

// TestAnAddressThatTriesManyNumbersInVainIsRefusedForAnHour: a number counts once, however it is
// spelled. All texts that are no number count as one number.
func TestAnAddressThatTriesManyNumbersInVainIsRefusedForAnHour(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, balanceChecks(5))
	x := shopOn(t, s)
	card := x.sell("25")
	s.Clock.Stop()
	fails := func(number string) {
		t.Helper()
		s.Clock.Move(12 * time.Second) // so that the quota of a minute is not used up
		wantStatus(t, number, checkBalanceAt(t, s, "192.0.2.1", customerCheck, number, "000000"), http.StatusNotFound)
	}
	for i := range 18 {
		fails(fmt.Sprintf("90000000000000%02d", i))
		fails(fmt.Sprintf("9000 0000 0000 00%02d", i))
	}
	for range 3 {
		fails("no number")
		fails("9000")
	}
	s.Clock.Move(time.Minute)
	wantStatus(t, "a right one", checkBalanceAt(t, s, "192.0.2.1", customerCheck, card.number, card.code), http.StatusOK)
	// Some have come back meanwhile: one every 30 seconds.
	last := 0
	for i := range 40 {
		s.Clock.Move(12 * time.Second)
		if answer := checkBalanceAt(t, s, "192.0.2.1", customerCheck, fmt.Sprintf("91000000000000%02d", i), "000000"); answer.Status == http.StatusTooManyRequests {
			wantDetail(t, "refused", answer, http.StatusTooManyRequests, "Too many requests")
			if got := answer.Header.Get("Retry-After"); got != "3588" {
				t.Errorf("Retry-After %s, want an hour less the 12 seconds since", got)
			}
			last = i
			break
		}
	}
	if last == 0 {
		t.Fatal("never refused")
	}
	s.Clock.Move(59 * time.Minute)
	wantStatus(t, "before the hour is over", checkBalanceAt(t, s, "192.0.2.1", customerCheck, card.number, card.code), http.StatusTooManyRequests)
	wantStatus(t, "another address", checkBalanceAt(t, s, "192.0.2.2", customerCheck, card.number, card.code), http.StatusOK)
	s.Clock.Move(time.Minute)
	wantStatus(t, "after the hour", checkBalanceAt(t, s, "192.0.2.1", customerCheck, card.number, card.code), http.StatusOK)
}

// TestAnAddressIsRefusedAfterTwentyNumbersInVain: they need at least three minutes, because an
// address may check only five at once. In this time some places come back, one every 30 seconds.
func TestAnAddressIsRefusedAfterTwentyNumbersInVain(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, balanceChecks(5))
	s.Clock.Stop()
	failed := 0
	for ; failed < 40; failed++ {
		if failed >= 5 {
			s.Clock.Move(12 * time.Second)
		}
		if checkBalanceAt(t, s, "192.0.2.1", customerCheck, fmt.Sprintf("90000000000000%02d", failed), "000000").Status == http.StatusTooManyRequests {
			break
		}
	}
	if failed < 20 || failed > 20+10 {
		t.Errorf("refused after %d numbers", failed)
	}
}

package server_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

// TestFiveWrongCodesLockANumberWhereverTheyWereGiven: in transfers and in both balance checks, on
// any instance. A wrong code counts although its request is refused.
func TestFiveWrongCodesLockANumberWhereverTheyWereGiven(t *testing.T) {
	t.Parallel()
	url, keys := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	s, second := servertest.NewOn(t, url, keys), servertest.NewOn(t, url, keys)
	x := shopOn(t, s)
	card, to := x.sell("25"), x.sell("25")
	s.Clock.Stop()
	second.Clock.StopAt(s.Clock.Now())
	ours := programCheck(x.m.ProgramID)
	wrong := map[string]func() servertest.Answer{
		"transfer": func() servertest.Answer {
			return x.ask(card, "/transfer", "", transferBody(card.wrong(), to.number, "1"))
		},
		"program check": func() servertest.Answer {
			return checkBalanceAt(t, second, "", ours, card.number[:4]+" "+card.number[4:], card.wrong())
		},
		"customer check": func() servertest.Answer { return checkBalanceAt(t, s, "", customerCheck, card.number, card.wrong()) },
	}
	want := map[string]int{"transfer": 401, "program check": 404, "customer check": 404}
	for _, name := range []string{"transfer", "program check", "customer check", "program check", "transfer"} {
		wantStatus(t, name, wrong[name](), want[name])
	}
	wantLocked := func(what string, retryAfter string) {
		t.Helper()
		for name, answer := range map[string]servertest.Answer{
			"transfer": x.transfer(card, to.number, "1"), "program check": checkBalanceAt(t, second, "", ours, card.number, card.code),
			"customer check": checkBalanceAt(t, s, "", customerCheck, card.number, card.code), "wrong transfer": wrong["transfer"](), "wrong check": wrong["program check"](),
		} {
			wantDetail(t, what+": "+name, answer, http.StatusTooManyRequests, "Too many requests")
			if got := answer.Header.Get("Retry-After"); got != retryAfter {
				t.Errorf("%s: %s: Retry-After %s, want %s", what, name, got, retryAfter)
			}
		}
	}
	wantLocked("at once", "900")
	for _, server := range []*servertest.Server{s, second} {
		server.Clock.Move(15*time.Minute - time.Microsecond)
	}
	wantLocked("until the last moment", "1")
	wantStatus(t, "a till", x.ask(card, "/redeem", "", `{"amount":1}`), http.StatusOK)
	for _, server := range []*servertest.Server{s, second} {
		server.Clock.Move(time.Microsecond)
	}
	wantStatus(t, "15 minutes later", x.transfer(card, to.number, "1"), http.StatusOK)
}

// TestWrongCodesCountForFifteenMinutes each: the window slides.
func TestWrongCodesCountForFifteenMinutes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, number := range []string{shopOn(t, s).sell("25").number, nowhere.number} {
		s.Clock.Stop()
		guess := func(what string, status int) {
			t.Helper()
			wantStatus(t, what, checkBalanceAt(t, s, "", customerCheck, number, ""), status)
		}
		for range 4 {
			guess("one of four", http.StatusNotFound)
			s.Clock.Move(3 * time.Minute)
		}
		s.Clock.Move(3 * time.Minute) // the first was 15 minutes ago
		guess("a fourth again", http.StatusNotFound)
		s.Clock.Move(time.Minute)
		guess("the fifth", http.StatusNotFound)
		guess("a sixth", http.StatusTooManyRequests)
		s.Clock.Move(15 * time.Minute)
		for range 5 {
			guess("as many after the lock", http.StatusNotFound)
		}
		guess("and no more", http.StatusTooManyRequests)
	}
}

// TestARightCodeEndsTheCount in a transfer and in a check, even if the transfer is refused for
// another reason.
func TestARightCodeEndsTheCount(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card, to := x.sell("25"), x.sell("25")
	for what, right := range map[string]func() (servertest.Answer, int){
		"a check": func() (servertest.Answer, int) {
			return checkBalanceAt(t, x.s, "", customerCheck, card.number, card.code), 200
		},
		"a transfer":         func() (servertest.Answer, int) { return x.transfer(card, to.number, "1"), 200 },
		"a refused transfer": func() (servertest.Answer, int) { return x.transfer(card, to.number, "5000"), 400 },
		"a new code": func() (servertest.Answer, int) {
			number, _ := store.ParseNumber(card.number)
			err := store.Do(t.Context(), x.s.Store, func(tx *store.Tx) error { return tx.ForgetCodeFailures(t.Context(), number) })
			if err != nil {
				t.Error(err)
			}
			return servertest.Answer{Status: 200}, 200
		},
	} {
		for range 2 {
			for i := range 4 {
				if i%2 == 0 {
					wantStatus(t, "a wrong code", checkBalanceAt(t, x.s, "", customerCheck, card.number, card.wrong()), http.StatusNotFound)
					continue
				}
				wantStatus(t, "a wrong code", x.ask(card, "/transfer", "", transferBody(card.wrong(), to.number, "1")), http.StatusUnauthorized)
			}
			answer, status := right()
			wantStatus(t, what, answer, status)
		}
	}
}

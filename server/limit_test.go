package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
)

func wantTooMany(t *testing.T, what string, answer servertest.Answer, policy, state, retryAfter string) {
	t.Helper()
	got := []string{answer.Header.Get("RateLimit-Policy"), answer.Header.Get("RateLimit"), answer.Header.Get("Retry-After")}
	if want := []string{policy, state, retryAfter}; fmt.Sprint(got) != fmt.Sprint(want) ||
		answer.Status != http.StatusTooManyRequests || strings.TrimSpace(string(answer.Body)) != `{"detail":"Too many requests"}` {
		t.Errorf("%s: %d %s %q, want a 429 with %q", what, answer.Status, answer.Body, got, want)
	}
	statements := int64(0)
	if strings.HasPrefix(policy, `"login"`) {
		statements = 1 // the server asks the database whether the user is known in this network
	}
	if answer.Statements != statements {
		t.Errorf("%s: %d statements for a 429, want %d", what, answer.Statements, statements)
	}
}

// TestAUserWhoAsksTooOftenIsToldWhenToComeBack: all tokens of a user share a quota, because a
// user can have any number of them.
func TestAUserWhoAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, func(o *server.Options) { o.UserRate = 2 })
	m, bystander := s.Merchant(), s.Merchant()
	tokens := []string{m.Token, s.Login(m.Email, m.Password), s.Login(m.Email, m.Password), s.Login(m.Email, m.Password)}
	s.Clock.Stop()
	ask := func(token string) servertest.Answer { return from(t, s, "", http.MethodGet, "/v2/token", token, "") }
	policy := `"user";q=4;w=2`
	for i, token := range tokens {
		answer := ask(token)
		if want := fmt.Sprintf(`"user";r=%d;t=%d`, 3-i, (i+2)/2); answer.Status != http.StatusOK ||
			answer.Header.Get("RateLimit") != want || answer.Header.Get("RateLimit-Policy") != policy || answer.Header.Get("Retry-After") != "" {
			t.Errorf("%d %v, want %s", answer.Status, answer.Header, want)
		}
	}
	for i, token := range tokens {
		wantTooMany(t, fmt.Sprintf("token %d", i), ask(token), policy, `"user";r=0;t=1`, "1")
	}
	wantTooMany(t, "another operation", m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`)), policy, `"user";r=0;t=1`, "1")
	if !tokenWorks(t, s, bystander.Token) {
		t.Error("another user is refused")
	}
	s.Clock.Move(time.Second)
	if !tokenWorks(t, s, m.Token) {
		t.Error("a second later it is still refused")
	}
}

func TestAnAddressThatAsksTooOftenIsRefusedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, func(o *server.Options) { o.AddressRate = 1 })
	s.Clock.Stop()
	for _, path := range []string{"/v2/token", "/openapi.json", "/nowhere", "/docs"} {
		answer := from(t, s, "192.0.2.1", http.MethodGet, path, "", "")
		want := http.StatusTooManyRequests
		if path == "/v2/token" {
			want = http.StatusUnauthorized
		}
		if path == "/openapi.json" {
			want = http.StatusOK
		}
		if answer.Status != want {
			t.Errorf("%s: %d, want %d", path, answer.Status, want)
		}
	}
	wantTooMany(t, "a login", loginFrom(t, s, "192.0.2.1", "a@example.com", "x"), `"address";q=2;w=2`, `"address";r=0;t=1`, "1")
	wantTooMany(t, "a forged sender", from(t, s, "198.51.100.7, 192.0.2.1", http.MethodGet, "/", "", ""), `"address";q=2;w=2`, `"address";r=0;t=1`, "1")
	if answer := from(t, s, "192.0.2.1", http.MethodGet, "/healthz", "", ""); answer.Status != http.StatusOK {
		t.Errorf("healthz: %d", answer.Status)
	}
	if answer := from(t, s, "192.0.2.2", http.MethodGet, "/docs", "", ""); answer.Status != http.StatusOK {
		t.Errorf("another address: %d", answer.Status)
	}
	for i, address := range []string{"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"} {
		if answer := from(t, s, address, http.MethodGet, "/docs", "", ""); (answer.Status == http.StatusTooManyRequests) != (i == 2) {
			t.Errorf("%s: %d", address, answer.Status)
		}
	}
	s.Clock.Move(time.Second)
	if answer := from(t, s, "192.0.2.1", http.MethodGet, "/docs", "", ""); answer.Status != http.StatusOK {
		t.Errorf("a second later: %d", answer.Status)
	}
}

func TestWithoutATrustedProxyTheForwardedAddressIsIgnored(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, func(o *server.Options) { o.AddressRate = 1 })
	s.Clock.Stop()
	var last servertest.Answer
	for i := range 3 {
		last = from(t, s, fmt.Sprintf("192.0.2.%d", i), http.MethodGet, "/docs", "", "")
	}
	wantTooMany(t, "the third of as many addresses", last, `"address";q=2;w=2`, `"address";r=0;t=1`, "1")
}

// TestGuessingIsSlowWhetherOrNotTheUserExists: guesses for a user and for nobody get the same
// answers, one by one, and cost the same.
func TestGuessingIsSlowWhetherOrNotTheUserExists(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, func(o *server.Options) { o.FailedLogins = 3 })
	m := s.Merchant()
	s.Clock.Stop()
	for range 4 { // 3 are checked and wrong; the fourth is not checked
		known, none := loginFrom(t, s, "192.0.2.1", m.Email, "wrong"), loginFrom(t, s, "192.0.2.2", "nobody@example.com", "wrong")
		if known.Status != none.Status || string(known.Body) != string(none.Body) || known.Statements != none.Statements ||
			known.Header.Get("RateLimit") != none.Header.Get("RateLimit") || known.Header.Get("Retry-After") != none.Header.Get("Retry-After") {
			t.Errorf("a user: %d %s %v\nnobody: %d %s %v", known.Status, known.Body, known.Header, none.Status, none.Body, none.Header)
		}
	}
	policy := `"login";q=3;w=300`
	wantTooMany(t, "the right password too late", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), policy, `"login";r=0;t=100`, "100")
	if answer := loginFrom(t, s, "192.0.2.3", m.Email, m.Password); answer.Status != http.StatusOK {
		t.Errorf("one address locks the user out of others: %d %s", answer.Status, answer.Body)
	}
	s.Clock.Move(100 * time.Second)
	for range 5 { // a right password uses none of the quota
		if answer := loginFrom(t, s, "192.0.2.1", strings.ToUpper(m.Email), m.Password); answer.Status != http.StatusOK {
			t.Fatalf("100 seconds later: %d %s", answer.Status, answer.Body)
		}
	}
}

// TestManyAddressesSlowAUserButLockNobodyOut: the user can still log in from a network where they
// logged in before.
func TestManyAddressesSlowAUserButLockNobodyOut(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, func(o *server.Options) { o.FailedLogins = 1 })
	m, bystander := s.Merchant(), s.Merchant()
	s.Clock.Stop()
	if answer := loginFrom(t, s, "192.0.2.1", m.Email, m.Password); answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	spelled := []string{m.Email, strings.ToUpper(m.Email)} // two spellings of one user
	for i := range 5 {
		if answer := loginFrom(t, s, fmt.Sprintf("198.51.100.%d", i), spelled[i%2], "wrong"); answer.Status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, answer.Status)
		}
	}
	policy, state := `"login";q=5;w=300`, `"login";r=0;t=60`
	wantTooMany(t, "the sixth address", loginFrom(t, s, "198.51.100.6", m.Email, "wrong"), policy, state, "60")
	if answer := loginFrom(t, s, "198.51.100.6", bystander.Email, bystander.Password); answer.Status != http.StatusOK {
		t.Errorf("another user from there: %d", answer.Status)
	}
	for range 2 {
		if answer := loginFrom(t, s, "192.0.2.1", m.Email, m.Password); answer.Status != http.StatusOK {
			t.Errorf("from where the user always logs in: %d %s", answer.Status, answer.Body)
		}
	}
	if answer := loginFrom(t, s, "192.0.2.1", m.Email, "wrong"); answer.Status != http.StatusUnauthorized {
		t.Errorf("a slip there: %d", answer.Status)
	}
	wantTooMany(t, "guessing there", loginFrom(t, s, "192.0.2.1", m.Email, "wrong"), `"login";q=1;w=300`, `"login";r=0;t=300`, "300")
	s.Clock.Move(time.Minute)
	if answer := loginFrom(t, s, "203.0.113.1", m.Email, m.Password); answer.Status != http.StatusOK {
		t.Errorf("from a new address, a minute later: %d %s", answer.Status, answer.Body)
	}
}

func TestGuessesAtTheSameTimeAreNoMoreThanOneByOne(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, func(o *server.Options) { o.FailedLogins = 3 })
	m := s.Merchant()
	s.Clock.Stop()
	s.Clock.Move(10 * time.Minute)
	var tried atomic.Int64
	guess := func(name string) servertest.Answer {
		answer := loginFrom(t, s, "", name, "wrong")
		if answer.Status == http.StatusUnauthorized {
			tried.Add(1)
		}
		return answer
	}
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { guess(fmt.Sprint(i, m.Email)) })
	}
	wait.Wait()
	// The queue has refused some guesses, which used none of the quota.
	for i := 20; i < 25; i++ {
		if guess(fmt.Sprint(i, m.Email)).Header.Get("RateLimit") != "" {
			break
		}
	}
	if n := tried.Load(); n != 3 {
		t.Errorf("%d guesses were tried, want 3", n)
	}
}

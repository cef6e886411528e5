package server_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

func failedLogins(n int) func(*server.Options) {
	return func(o *server.Options) { o.FailedLogins = n }
}

func wantStatus(t *testing.T, what string, answer servertest.Answer, status int) {
	t.Helper()
	if answer.Status != status {
		t.Errorf("%s: %d %s, want %d", what, answer.Status, answer.Body, status)
	}
}

// TestANetworkOfALoginIsKnownOnEveryInstanceAndAfterARestart: guesses from elsewhere do not lock the
// user out of this network. After a new password the network is unknown again.
func TestANetworkOfALoginIsKnownOnEveryInstanceAndAfterARestart(t *testing.T) {
	t.Parallel()
	url, keys := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	first := servertest.NewOn(t, url, keys, trustHere, failedLogins(1))
	m := first.Merchant()
	wantStatus(t, "at home", loginFrom(t, first, "2001:db8:0:1::1", m.Email, m.Password), http.StatusOK)
	second := servertest.NewOn(t, url, keys, trustHere, failedLogins(1))
	second.Clock.Stop()
	for i := range 5 {
		wantStatus(t, "a guess", loginFrom(t, second, fmt.Sprintf("198.51.%d.1", i), m.Email, "wrong"), http.StatusUnauthorized)
	}
	wantStatus(t, "a guess too many", loginFrom(t, second, "198.51.100.1", m.Email, "wrong"), http.StatusTooManyRequests)
	wantStatus(t, "elsewhere", loginFrom(t, second, "2001:db8:0:2::1", m.Email, m.Password), http.StatusTooManyRequests)
	wantStatus(t, "the same /64", loginFrom(t, second, "2001:db8:0:1::2", strings.ToUpper(m.Email), m.Password), http.StatusOK)

	hash, err := argon2id.CreateHash("another password", &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	change(t, second, func(tx *store.Tx) (store.User, error) { return tx.SetPassword(t.Context(), m.Email, hash) })
	wantStatus(t, "at home after a new password", loginFrom(t, second, "2001:db8:0:1::1", m.Email, "another password"), http.StatusTooManyRequests)
}

// TestWiderNetworksOfIPv6HaveAQuota, because one attacker can have 65,536 networks of /64 and more.
func TestWiderNetworksOfIPv6HaveAQuota(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, failedLogins(2))
	s.Clock.Stop()
	guess := func(address string) servertest.Answer {
		return loginFrom(t, s, address, "nobody-"+address+"@example.com", "wrong")
	}
	for i := range 4 { // a /56
		wantStatus(t, "a /64", guess(fmt.Sprintf("2001:db8:0:%x::1", i)), http.StatusUnauthorized)
	}
	wantTooMany(t, "one more /64 of the /56", guess("2001:db8:0:4::1"), `"login";q=4;w=300`, `"login";r=0;t=75`, "75")
	for i := 1; i < 5; i++ { // the /48: the refusals above used none of its quota
		wantStatus(t, "another /56", guess(fmt.Sprintf("2001:db8:0:%x00::1", i)), http.StatusUnauthorized)
	}
	wantTooMany(t, "one more /56 of the /48", guess("2001:db8:0:500::1"), `"login";q=8;w=300`, `"login";r=0;t=38`, "38")
	wantStatus(t, "another /48", guess("2001:db8:1::1"), http.StatusUnauthorized)
	for i := range 8 { // neighbours in an IPv4 /24 are strangers
		wantStatus(t, "IPv4", guess(fmt.Sprintf("192.0.2.%d", i)), http.StatusUnauthorized)
	}
}

// TestATextThatCannotBeAPasswordCountsAgainstNoUser: such a login needs no hash. If it counted, it
// would be a cheap way to use up a user's quota, or to fill the memory with quotas.
func TestATextThatCannotBeAPasswordCountsAgainstNoUser(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, failedLogins(1))
	m := s.Merchant()
	s.Clock.Stop()
	long := strings.Repeat("x", 1025)
	for i := range full.Size(20, 4) {
		address := fmt.Sprintf("198.51.100.%d", i)
		answer, wrong := loginFrom(t, s, address, m.Email, long), loginFrom(t, s, fmt.Sprintf("203.0.113.%d", i), fmt.Sprint(i, m.Email), "wrong")
		if answer.Status != wrong.Status || string(answer.Body) != string(wrong.Body) || answer.Statements != 0 {
			t.Fatalf("%d %s with %d statements, a wrong password: %d %s", answer.Status, answer.Body, answer.Statements, wrong.Status, wrong.Body)
		}
	}
	answer := loginFrom(t, s, "198.51.100.1", m.Email, long)
	if answer.Status != http.StatusTooManyRequests || answer.Header.Get("RateLimit-Policy") != `"login";q=1;w=300` {
		t.Errorf("the second of an address: %d %v", answer.Status, answer.Header)
	}
	wantStatus(t, "the user from a new address", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), http.StatusOK)
}

// TestRightPasswordsCountToo, because a right password takes as long to check as a wrong one.
func TestRightPasswordsCountToo(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, trustHere, failedLogins(1))
	m, bystander := s.Merchant(), s.Merchant()
	s.Clock.Stop()
	s.Clock.Move(time.Hour)
	wantStatus(t, "the first", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), http.StatusOK)
	for range 6 {
		wantStatus(t, "one of six", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), http.StatusOK)
	}
	policy, state := `"login";q=6;w=300`, `"login";r=0;t=50`
	wantTooMany(t, "the seventh", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), policy, state, "50")
	wantTooMany(t, "the user's other known address", loginFrom(t, s, "", m.Email, m.Password), policy, state, "50")
	wantStatus(t, "another user there", loginFrom(t, s, "192.0.2.1", bystander.Email, bystander.Password), http.StatusOK)
	for i := range 5 { // with the first login, six from unknown addresses
		wantStatus(t, "a new address", loginFrom(t, s, fmt.Sprintf("198.51.100.%d", i), m.Email, m.Password), http.StatusOK)
	}
	wantTooMany(t, "one new address too many", loginFrom(t, s, "198.51.100.9", m.Email, m.Password), policy, state, "50")
	s.Clock.Move(50 * time.Second)
	wantStatus(t, "50 seconds later", loginFrom(t, s, "192.0.2.1", m.Email, m.Password), http.StatusOK)
}

// TestAUserIsLetInWhileOthersFillTheQueue with hashes that take as long as in production. The
// attacked user can log in from a known network, even if it is the attackers'. Another user can log
// in from anywhere.
func TestAUserIsLetInWhileOthersFillTheQueue(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, trustHere)
	m, other := s.Merchant(), s.Merchant()
	for _, address := range []string{"192.0.2.1", "203.0.113.1"} {
		wantStatus(t, "at home", loginFrom(t, s, address, m.Email, m.Password), http.StatusOK)
	}
	over := make(chan struct{})
	var attackers sync.WaitGroup
	for i := range 80 {
		attackers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				user, address := fmt.Sprintf("nobody-%d-%d@example.com", i, n), fmt.Sprintf("203.0.113.%d", i)
				if i%2 == 0 { // the attacked user's name, from all addresses
					user, address = m.Email, fmt.Sprintf("10.%d.%d.1", i, n%250)
				}
				loginFrom(t, s, address, user, "a wrong password")
				time.Sleep(5 * time.Millisecond) // 80 attackers fill the queue nevertheless
			}
		})
	}
	for i := range full.Size(5, 1) {
		wantStatus(t, "another user at a new address", loginFrom(t, s, fmt.Sprintf("172.16.%d.1", i), other.Email, other.Password), http.StatusOK)
		for _, address := range []string{"192.0.2.1", "203.0.113.1"} {
			wantStatus(t, "at home, under attack", loginFrom(t, s, address, m.Email, m.Password), http.StatusOK)
		}
	}
	close(over)
	attackers.Wait()
}

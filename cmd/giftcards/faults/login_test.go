package faults_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
	"giftcards/store/storetest/full"
)

// TestAUserCanLogInWhileLoginsAreAttacked, at the first try, from an address of an earlier login,
// whatever attackers send from any number of addresses.
func TestAUserCanLogInWhileLoginsAreAttacked(t *testing.T) {
	t.Parallel()
	all := newTrial(t, "logins")
	dir := processtest.StateDir(all)
	pg := all.newPostgres(dir)
	m := all.newMerchant(dir, pg.url())
	for _, one := range []struct {
		name    string
		inSlice bool
		attack  func(*siege)
	}{
		{"one user's right password from eight addresses", false, rightPasswords},
		{"unknown users from all of a /48", false, unknownUsers},
		{"passwords that are too long, of many names", false, longPasswords},
		{"the user's wrong passwords used up, and a restart", true, usedUp},
	} {
		if !full.Asked() && !one.inSlice {
			continue
		}
		t.Run(one.name, func(t *testing.T) { // not parallel, because each needs the whole machine
			tr := newTrial(t, one.name)
			g := &siege{trial: tr, home: "203.0.113.7", merchant: m}
			g.server = tr.newGiftcards(dir, pg.url(), "GIFTCARDS_TRUSTED_PROXY=127.0.0.0/8")
			if status := g.login(g.home, g.merchant.Username, g.merchant.Password); status != http.StatusOK {
				t.Fatalf("a login in peace: %d", status)
			}
			ctx, end := context.WithCancel(tr.ctx)
			g.ctx = ctx
			one.attack(g)
			g.victim()
			end()
			g.attackers.Wait()
			g.server.Kill()
		})
	}
}

// siege is a server whose logins are attacked, and its victim.
type siege struct {
	*trial
	server    *giftcards
	merchant  merchant
	home      string // the victim's address, which has logged in before
	ctx       context.Context
	attackers sync.WaitGroup
	client    http.Client
}

// login tries to log in through a proxy. It returns the status, or 0 without an answer.
func (g *siege) login(from, user, password string) int {
	return g.send(g.trial.ctx, from, user, password)
}

func (g *siege) send(ctx context.Context, from, user, password string) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.server.URL()+"/v2/token",
		strings.NewReader(url.Values{"username": {user}, "password": {password}}.Encode()))
	g.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Forwarded-For", from)
	answer, err := g.client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	g.requests.Add(1)
	return answer.StatusCode
}

// keepOn lets attackers send attempts until the siege is over. next returns the n-th
// attempt of the i-th attacker.
func (g *siege) keepOn(attackers int, next func(i, n int) (from, user, password string)) {
	g.Helper()
	var begun atomic.Int64
	for i := range attackers {
		g.attackers.Go(func() {
			for n := 0; g.ctx.Err() == nil; n++ {
				from, user, password := next(i, n)
				if n == 0 {
					begun.Add(1)
				}
				if g.send(g.ctx, from, user, password) != http.StatusOK {
					time.Sleep(5 * time.Millisecond) // refusals must not use up a small machine
				}
			}
		})
	}
	check.Until(g, "an attack by all attackers", func() bool { return begun.Load() == int64(attackers) })
}

// victim logs in at home, again and again.
func (g *siege) victim() {
	g.Helper()
	var took []time.Duration
	for i := range full.Size(20, 3) {
		start := time.Now()
		status := g.login(g.home, g.merchant.Username, g.merchant.Password)
		took = append(took, time.Since(start))
		if status != http.StatusOK {
			g.exceptionf("login %d of the victim: %d", i+1, status)
		}
		time.Sleep(200 * time.Millisecond)
	}
	g.faults.Add(g.requests.Load())
	slices.Sort(took)
	g.note = fmt.Sprintf("%d logins: median %s, slowest %s", len(took), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}

// rightPasswords attacks as a user of the merchant who logs in over and over.
func rightPasswords(g *siege) {
	const name, password = "other@example.com", "the right password"
	g.command(g.server.state, g.server.database, password+"\n", "user", "create", "--merchant="+g.merchant.MerchantID, name)
	g.keepOn(8*25, func(i, _ int) (string, string, string) { return fmt.Sprintf("198.51.%d.1", i%8), name, password })
}

// unknownUsers attacks from an IPv6 network. Each request comes from another /64 in it.
func unknownUsers(g *siege) {
	g.keepOn(200, func(i, n int) (string, string, string) {
		return fmt.Sprintf("2001:db8:0:%x::1", (i+200*n)%(1<<16)), fmt.Sprintf("nobody-%d-%d@example.com", i, n), "a wrong password"
	})
}

// longPasswords uses up the victim's wrong passwords, and then sends more user names than
// the server remembers.
func longPasswords(g *siege) {
	wrong := func(i int) int {
		return g.login(fmt.Sprintf("198.51.100.%d", i), g.merchant.Username, "a wrong password")
	}
	guessed := func(from int) (tried int) {
		for i := from; i < from+60; i++ {
			if wrong(i) == http.StatusUnauthorized {
				tried++
			}
		}
		return tried
	}
	if tried := guessed(0); tried < 50 || tried > 55 {
		g.exceptionf("%d guesses were tried, want 50 and what came back meanwhile", tried)
	}
	const names = 66_000
	long := strings.Repeat("x", 1025)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for n := i; n < names; n += 20 {
				g.login(fmt.Sprintf("2001:db8:%x:%x::1", n/10>>16, n/10&0xffff), fmt.Sprintf("name-%d@example.com", n), long)
			}
		})
	}
	start := time.Now()
	all.Wait()
	again := int(time.Since(start)/(6*time.Second)) + 15 // the limit allows another one every 6 seconds, also during these attempts
	if tried := guessed(100); tried > again {
		g.exceptionf("%d more guesses were tried after %d other names, want %d at most", tried, names, again)
	}
	g.keepOn(20, func(i, n int) (string, string, string) {
		return fmt.Sprintf("2001:db8:%x:%x::1", 0x100+i, n%(1<<16)), fmt.Sprintf("more-%d-%d@example.com", i, n), long
	})
}

// usedUp attacks from six addresses, which use up the victim's wrong passwords. A restart has made the
// server forget everything in its memory before.
func usedUp(g *siege) {
	g.server.Kill()
	g.server.Start()
	g.keepOn(6, func(i, _ int) (string, string, string) {
		return fmt.Sprintf("198.51.%d.1", i), g.merchant.Username, "a wrong password"
	})
	check.Until(g, "a quota that is used up", func() bool {
		return g.login("192.0.2.99", g.merchant.Username, "a wrong password") == http.StatusTooManyRequests
	})
}

package server

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"giftcards/server/password"
	"giftcards/server/ratelimit"
	"giftcards/store"
)

// logins are what one process knows of logins: what each may still try, and who
// waits for a password to be checked.
type logins struct {
	queue *password.Queue
	// Wrong passwords, in the order of how much is granted; nil where there is no limit.
	pair, address, home, site, user *limit[loginKey]
	// right counts right passwords, which cost as much time to check as wrong ones.
	right *limit[loginKey]

	log refusedLogins
}

// loginKey is what a quota or a place in the queue belongs to: a user, a network, or
// a user in a network.
type loginKey struct {
	known   bool // of users where they have logged in before; others cannot use it up
	network netip.Prefix
	user    userName
}

// userName is a part of the hash of a user name as it is looked up: of one size,
// however much was sent.
type userName [16]byte

const (
	// loginWindow is how long it takes to get back all passwords.
	loginWindow = 5 * time.Minute
	// A household or a customer often has a /56, a company a /48 of IPv6, and each has
	// very many /64s. Their quotas are below a user's, so that no single one of them can
	// use that up.
	homeFactor, siteFactor = 2, 4
	// userFactor is how many times as many wrong passwords a user has as an address:
	// so many addresses at least it takes to slow down a user, not one.
	userFactor = 5
	// rightFactor allows a login every 5 seconds for long.
	rightFactor = 6
)

// How many logins may be in the queue at a time. A password takes some 50 ms to check
// and a place is free again at once, so 2 are enough for a person and for a program that
// repeats itself. Of the 64 places one network can take an eighth at most.
const (
	inQueueOfUser    = 2
	inQueueOfKnown   = 4 // of a user where they have logged in before: several programs that start at once
	inQueueOfAddress = 2
	inQueueOfHome    = 4 // of IPv6 a /56, of IPv4 a /24
	inQueueOfSite    = 8 // of IPv6 a /48
)

func newLogins(o Options) logins {
	quota := func(factor int) *limit[loginKey] {
		return newLimit[loginKey]("login", o.FailedLogins*factor, loginWindow)
	}
	return logins{
		// Half of the processors are left for everything else.
		queue: password.NewQueue(max(1, runtime.GOMAXPROCS(0)/2)),
		pair:  quota(1), address: quota(1), home: quota(homeFactor), site: quota(siteFactor), user: quota(userFactor),
		right: quota(rightFactor),
		log:   newRefusedLogins(),
	}
}

// attempt is a login under way.
type attempt struct {
	name                string // as users are looked up
	user                userName
	address, home, site netip.Prefix
	known               bool // the user has logged in from the address before
}

func newAttempt(name, client string) *attempt {
	name = store.CleanEmail(name)
	hash := sha256.Sum256([]byte(name))
	return &attempt{
		name: name, user: userName(hash[:]),
		address: network(client, 32, 64), home: network(client, 24, 56), site: network(client, 0, 48),
	}
}

// ipv6 reports whether wider networks have quotas of wrong passwords: a /24 of IPv4
// belongs to many customers, who would use up each other's.
func (a *attempt) ipv6() bool { return a.address.Addr().Is6() }

// quota is what a limit grants to a key.
type quota struct {
	*limit[loginKey]
	key loginKey
}

// ofNetworks are the quotas of wrong passwords of where the attempt comes from, the
// widest first: what that refuses takes no place among the keys of the others.
func (l *logins) ofNetworks(a *attempt) []quota {
	quotas := []quota{{l.address, loginKey{network: a.address}}}
	if a.ipv6() {
		quotas = slices.Insert(quotas, 0, quota{l.site, loginKey{network: a.site}}, quota{l.home, loginKey{network: a.home}})
	}
	return quotas
}

// wrong are the quotas that a wrong password counts under. A user who has logged in
// from the address before is judged there by this pair alone, so that strangers
// cannot keep them out.
func (l *logins) wrong(a *attempt) []quota {
	if a.known {
		return []quota{{l.pair, loginKey{known: true, network: a.address, user: a.user}}}
	}
	return append(l.ofNetworks(a), quota{l.user, loginKey{user: a.user}})
}

// ofRight are the quotas that a right password counts under.
func (l *logins) ofRight(a *attempt) []quota {
	if a.known {
		return []quota{{l.right, loginKey{known: true, user: a.user}}}
	}
	return []quota{{l.right, loginKey{network: a.address}}, {l.right, loginKey{user: a.user}}}
}

// shares are the attempt's places in the queue.
func (a *attempt) shares() []password.Share {
	if a.known {
		return []password.Share{{Of: loginKey{known: true, user: a.user}, Most: inQueueOfKnown}}
	}
	shares := []password.Share{
		{Of: loginKey{user: a.user}, Most: inQueueOfUser},
		{Of: loginKey{network: a.address}, Most: inQueueOfAddress},
	}
	if a.home.IsValid() {
		shares = append(shares, password.Share{Of: loginKey{network: a.home}, Most: inQueueOfHome})
	}
	if a.ipv6() {
		shares = append(shares, password.Share{Of: loginKey{network: a.site}, Most: inQueueOfSite})
	}
	return shares
}

// take takes one of each quota, or none and fails with a 429. How many are left it
// does not tell: that would say who has logged in from the address before.
func take(quotas []quota, now time.Time) (giveBack func(), err error) {
	giveBackOf := func(taken []quota) {
		for _, q := range taken {
			if q.limit != nil {
				q.GiveBack(q.key)
			}
		}
	}
	for i, q := range quotas {
		if q.limit == nil {
			continue
		}
		if taken := q.Take(q.key, now); !taken.OK {
			giveBackOf(quotas[:i]) // no password was tried
			return nil, q.refuse(taken)
		}
	}
	return func() { giveBackOf(quotas) }, nil
}

// look fails with a 429 where take would.
func look(quotas []quota, now time.Time) error {
	for _, q := range quotas {
		if q.limit == nil {
			continue
		}
		if seen := q.Look(q.key, now); !seen.OK {
			return q.refuse(seen)
		}
	}
	return nil
}

// refusedLogins writes a line for each login that is refused, with the address that
// it came from: a second line of an address only a second later, and so many a second
// in all, so that nobody can fill the log.
type refusedLogins struct {
	all       *ratelimit.Limiter[struct{}]
	byAddress *ratelimit.Limiter[netip.Prefix]
	unlogged  *atomic.Int64
}

// refusedLoginLines is how many lines a second there are at most.
const refusedLoginLines = 20

func newRefusedLogins() refusedLogins {
	return refusedLogins{
		all:       ratelimit.New[struct{}](refusedLoginLines, time.Second, 1),
		byAddress: ratelimit.New[netip.Prefix](1, time.Second, limitKeys),
		unlogged:  new(atomic.Int64),
	}
}

// noteRefusedLogin writes the line. The user is named by a hash with a key, because
// people type passwords and strangers' addresses as user names.
func (s *Server) noteRefusedLogin(ctx context.Context, a *attempt, refused *refusal) {
	l, now, who := &s.logins.log, s.Store.Now(), caller(ctx)
	if !l.byAddress.Take(a.address, now).OK || !l.all.Take(struct{}{}, now).OK {
		l.unlogged.Add(1)
		return
	}
	reason := "password"
	switch {
	case refused.header != nil:
		reason = "limit"
	case refused.status == http.StatusTooManyRequests:
		reason = "queue"
	}
	s.Logger.LogAttrs(ctx, slog.LevelInfo, "login refused",
		slog.String("client", who.client), slog.String("user", s.Keys.Pseudonym(a.name)), slog.Int("status", refused.status),
		slog.String("reason", reason), slog.Int64("unlogged_before", l.unlogged.Swap(0)), slog.String("request_id", who.request.ours))
}

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

// logins are the limits of logins in this process, and the queue of passwords to check.
type logins struct {
	queue *password.Queue
	// Limits of wrong passwords, the smallest quota first; nil where there is no limit.
	pair, address, home, site, user *limit[loginKey]
	// right limits right passwords, because they take as long to check as wrong ones.
	right *limit[loginKey]

	log refusedLogins
}

// loginKey is the owner of a quota or of a place in the queue: a user, a network, or a user
// in a network.
type loginKey struct {
	known   bool // of logins at known addresses only, so that strangers cannot use it up
	network netip.Prefix
	user    userName
}

// userName is the first part of the hash of a user name, so that a long name takes no more
// memory than a short one.
type userName [16]byte

const (
	// loginWindow is the time after which the whole quota is available again.
	loginWindow = 5 * time.Minute
	// In IPv6 a household often has a /56 and a company a /48, with very many /64s each. Their
	// quotas are smaller than a user's, so that one network alone cannot use a user's up.
	homeFactor, siteFactor = 2, 4
	// userFactor makes a user's quota five times an address's, so that one address alone can
	// never slow down a user.
	userFactor = 5
	// rightFactor allows one login every 5 seconds in the long run, by default.
	rightFactor = 6
)

// Limits of the logins in the queue at one time. A password takes about 50 ms to check, so
// 2 places are enough for a person, and for a program that retries. One network can take
// an eighth of the 64 places at most.
const (
	inQueueOfUser    = 2
	inQueueOfKnown   = 4 // a user at an address of earlier logins: several programs may start at once
	inQueueOfAddress = 2
	inQueueOfHome    = 4 // an IPv6 /56 or an IPv4 /24
	inQueueOfSite    = 8 // an IPv6 /48
)

func newLogins(o Options) logins {
	quota := func(factor int) *limit[loginKey] {
		return newLimit[loginKey]("login", o.FailedLogins*factor, loginWindow)
	}
	return logins{
		// Hashing gets half of the processors, so that the other half serves everything else.
		queue: password.NewQueue(max(1, runtime.GOMAXPROCS(0)/2)),
		pair:  quota(1), address: quota(1), home: quota(homeFactor), site: quota(siteFactor), user: quota(userFactor),
		right: quota(rightFactor),
		log:   newRefusedLogins(),
	}
}

// attempt is a login under way.
type attempt struct {
	name                string // the e-mail address as users are looked up by it
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

// ipv6 reports whether the attempt comes from IPv6. Wider networks of IPv4 have no quotas of
// wrong passwords, because the many customers in a /24 would use up each other's.
func (a *attempt) ipv6() bool { return a.address.Addr().Is6() }

// quota is the quota of one key.
type quota struct {
	*limit[loginKey]
	key loginKey
}

// ofNetworks returns the quotas of wrong passwords of the networks that the attempt comes
// from, the widest first. If that one refuses, the narrower ones need not remember a key.
func (l *logins) ofNetworks(a *attempt) []quota {
	quotas := []quota{{l.address, loginKey{network: a.address}}}
	if a.ipv6() {
		quotas = slices.Insert(quotas, 0, quota{l.site, loginKey{network: a.site}}, quota{l.home, loginKey{network: a.home}})
	}
	return quotas
}

// wrong returns the quotas that a wrong password counts against. For a user who has logged
// in from the address before, only the quota of this pair counts, so that strangers cannot
// lock the user out.
func (l *logins) wrong(a *attempt) []quota {
	if a.known {
		return []quota{{l.pair, loginKey{known: true, network: a.address, user: a.user}}}
	}
	return append(l.ofNetworks(a), quota{l.user, loginKey{user: a.user}})
}

// ofRight returns the quotas that a right password counts against.
func (l *logins) ofRight(a *attempt) []quota {
	if a.known {
		return []quota{{l.right, loginKey{known: true, user: a.user}}}
	}
	return []quota{{l.right, loginKey{network: a.address}}, {l.right, loginKey{user: a.user}}}
}

// shares returns the attempt's limits in the queue.
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

// take counts one against each quota. If one of them is used up, it counts nothing and fails
// with a 429. The answer does not say how many are left, because that would tell which users
// have logged in from the address before.
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
			giveBackOf(quotas[:i]) // this attempt tries no password
			return nil, q.refuse(taken)
		}
	}
	return func() { giveBackOf(quotas) }, nil
}

// look fails with a 429 if take would. It counts nothing.
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

// refusedLogins limits the log lines of refused logins, so that nobody can fill the log:
// one line a second for an address, and refusedLoginLines a second in all. It counts the
// lines that were left out.
type refusedLogins struct {
	all       *ratelimit.Limiter[struct{}]
	byAddress *ratelimit.Limiter[netip.Prefix]
	unlogged  *atomic.Int64
}

// refusedLoginLines is the largest number of lines a second.
const refusedLoginLines = 20

func newRefusedLogins() refusedLogins {
	return refusedLogins{
		all:       ratelimit.New[struct{}](refusedLoginLines, time.Second, 1),
		byAddress: ratelimit.New[netip.Prefix](1, time.Second, limitKeys),
		unlogged:  new(atomic.Int64),
	}
}

// noteRefusedLogin logs a refused login with its address and the reason. It names the user
// by a keyed hash, because people type passwords and other people's addresses as user
// names.
func (s *Server) noteRefusedLogin(ctx context.Context, a *attempt, refused *refusal) {
	l, now, who := &s.logins.log, s.Store.Clock(), caller(ctx)
	if !l.byAddress.Take(a.address, now).OK || !l.all.Take(struct{}{}, now).OK {
		l.unlogged.Add(1)
		return
	}
	reason := "password"
	switch {
	// Only the refusal of a limit carries headers; the queue's has none.
	case refused.header != nil:
		reason = "limit"
	case refused.status == http.StatusTooManyRequests:
		reason = "queue"
	}
	s.Logger.LogAttrs(ctx, slog.LevelInfo, "login refused",
		slog.String("client", who.client), slog.String("user", s.Keys.Pseudonym(a.name)), slog.Int("status", refused.status),
		slog.String("reason", reason), slog.Int64("unlogged_before", l.unlogged.Swap(0)), slog.String("request_id", who.request.ours))
}

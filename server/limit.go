package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/server/ratelimit"
	"giftcards/store"
)

// limits are what one process counts of its callers; nil where a limit is off.
type limits struct {
	address *limit[netip.Prefix]
	token   *limit[string]

	// Wrong passwords: of an address, of a user from all addresses together, and
	// of a user from an address where this user has logged in before.
	loginAddress *limit[netip.Prefix]
	loginUser    *limit[userName]
	loginKnown   *limit[knownLogin]
}

// userName is the hash of a user name as it is looked up: of one size, however
// much was sent.
type userName [sha256.Size]byte

// knownLogin is an address from which a user has logged in.
type knownLogin struct {
	address netip.Prefix
	user    userName
}

const (
	// limitWindow is how long a quota of requests lasts; who sends none for so long
	// may send them all at once.
	limitWindow = 2 * time.Second
	// loginWindow is how long it takes to get back all wrong passwords.
	loginWindow = 5 * time.Minute
	// userFactor is how many times as many wrong passwords a user has as an address:
	// so many addresses at least it takes to slow down a user, not one.
	userFactor = 5
	// limitKeys is how many keys a limit remembers: about 15 MB of them.
	limitKeys = 1 << 16
)

func newLimits(o Options) limits {
	return limits{
		address:      newLimit[netip.Prefix]("address", o.AddressRate*int(limitWindow/time.Second), limitWindow),
		token:        newLimit[string]("token", o.TokenRate*int(limitWindow/time.Second), limitWindow),
		loginAddress: newLimit[netip.Prefix]("login", o.FailedLogins, loginWindow),
		loginUser:    newLimit[userName]("login", o.FailedLogins*userFactor, loginWindow),
		loginKnown:   newLimit[knownLogin]("login", o.FailedLogins, loginWindow),
	}
}

var errTooMany = &refusal{status: http.StatusTooManyRequests, detail: "Too many requests"}

// limit is a Limiter that tells callers how they stand, in the headers of
// draft-ietf-httpapi-ratelimit-headers-11.
type limit[K comparable] struct {
	*ratelimit.Limiter[K]
	name   string   // as a quoted string
	policy []string // of every answer
}

func newLimit[K comparable](name string, quota int, window time.Duration) *limit[K] {
	if quota == 0 {
		return nil
	}
	name = strconv.Quote(name)
	return &limit[K]{
		Limiter: ratelimit.New[K](quota, window, limitKeys),
		name:    name, policy: []string{fmt.Sprintf("%s;q=%d;w=%d", name, quota, int(window/time.Second))},
	}
}

// take counts one for the key and tells the caller; it fails with errTooMany.
func (l *limit[K]) take(header http.Header, key K, now time.Time) error {
	if l == nil {
		return nil
	}
	return l.tell(header, l.Take(key, now))
}

// tell writes the headers, and fails with errTooMany if nothing was granted. It
// runs for every request and so names headers as net/http keeps them.
func (l *limit[K]) tell(header http.Header, taken ratelimit.Taken) error {
	seconds := int64((taken.Wait + time.Second - 1) / time.Second)
	state := append(make([]byte, 0, 40), l.name...)
	state = strconv.AppendInt(append(state, ";r="...), int64(taken.Left), 10)
	state = strconv.AppendInt(append(state, ";t="...), seconds, 10)
	header["Ratelimit-Policy"] = l.policy
	header["Ratelimit"] = []string{string(state)}
	if taken.OK {
		return nil
	}
	header.Set(echo.HeaderRetryAfter, strconv.FormatInt(seconds, 10))
	return errTooMany
}

// limitByAddress bounds what one address may send, before anything is done for
// it. To be told that the process lives costs nothing, and must not depend on who
// else asks.
func (s *Server) limitByAddress(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == "/healthz" {
			return next(c)
		}
		if err := s.limits.address.take(c.Response().Header(), clientAddress(c), s.Store.Now()); err != nil {
			return err
		}
		return next(c)
	}
}

// clientAddress is the caller's address, of IPv6 the /64 network, which is what
// one household or machine has.
func clientAddress(c echo.Context) netip.Prefix { return network(c.RealIP()) }

// network is the network of an address, as clientAddress has it.
func network(text string) netip.Prefix {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{} // no network connection: all such count as one
	}
	address = address.Unmap()
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // bits fit
	return prefix
}

// limitLogins slows down the guessing of passwords. A password that is wrong
// counts, whether there is such a user or not; a right one does not. Who logged in
// from an address before is judged there by this pair alone, so that strangers
// cannot keep a user out who logs in from where they always do.
func (s *Server) limitLogins(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	if operation != "CreateToken" || s.limits.loginAddress == nil {
		return next
	}
	return func(c echo.Context, request any) (any, error) {
		name := store.CleanEmail(request.(api.CreateTokenRequestObject).Body.Username)
		login := knownLogin{clientAddress(c), sha256.Sum256([]byte(name))}
		giveBack, err := s.takeLogin(c.Response().Header(), login)
		if err != nil {
			return nil, err
		}
		answer, err := next(c, request)
		if errors.Is(err, errBadLogin) {
			return nil, err
		}
		giveBack() // no password was wrong
		if err == nil {
			s.limits.loginKnown.Remember(login)
		}
		return answer, err
	}
}

// takeLogin counts a wrong password in advance, so that many at the same time
// are no more than one after the other. How many are left it does not tell: that
// would say who has logged in from the address before.
func (s *Server) takeLogin(header http.Header, login knownLogin) (giveBack func(), err error) {
	l, now := &s.limits, s.Store.Now()
	if l.loginKnown.Knows(login) {
		if taken := l.loginKnown.Take(login, now); !taken.OK {
			return nil, l.loginKnown.tell(header, taken)
		}
		return func() { l.loginKnown.GiveBack(login) }, nil
	}
	if taken := l.loginAddress.Take(login.address, now); !taken.OK {
		return nil, l.loginAddress.tell(header, taken)
	}
	if taken := l.loginUser.Take(login.user, now); !taken.OK {
		l.loginAddress.GiveBack(login.address) // no password was tried
		return nil, l.loginUser.tell(header, taken)
	}
	return func() {
		l.loginAddress.GiveBack(login.address)
		l.loginUser.GiveBack(login.user)
	}, nil
}

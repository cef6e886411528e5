package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/server/ratelimit"
)

// limits are what one process counts of its callers; nil where a limit is off.
type limits struct {
	address *limit[netip.Prefix]
	user    *limit[string]            // by id, over all tokens of the user
	link    *limit[[csvLinkSize]byte] // downloads over one link
}

const (
	// limitWindow is how long a quota of requests lasts: after so long without a
	// request all of it can be used at once.
	limitWindow = 2 * time.Second
	// linkWindow is how long the quota of downloads over one link lasts.
	linkWindow = time.Minute
	// limitKeys is how many keys a limit remembers: about 15 MB of them.
	limitKeys = 1 << 16
)

func newLimits(o Options) limits {
	return limits{
		address: newLimit[netip.Prefix]("address", o.AddressRate*int(limitWindow/time.Second), limitWindow),
		user:    newLimit[string]("user", o.UserRate*int(limitWindow/time.Second), limitWindow),
		link:    newLimit[[csvLinkSize]byte]("link", o.LinkDownloads, linkWindow),
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

// refuse is the answer to a Take that was not granted.
func (l *limit[K]) refuse(taken ratelimit.Taken) error {
	header := http.Header{}
	_ = l.tell(header, taken) // errTooMany, without the headers
	return &refusal{status: errTooMany.status, detail: errTooMany.detail, header: header}
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
func clientAddress(c echo.Context) netip.Prefix { return network(c.RealIP(), 32, 64) }

// network is the network of an address, with so many bits of IPv4 and of IPv6. What
// is no address, because the connection has none, is the zero Prefix.
func network(text string, bits4, bits6 int) netip.Prefix {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap()
	bits := bits4
	if address.Is6() {
		bits = bits6
	}
	prefix, _ := address.Prefix(bits) // bits fit
	return prefix
}

// takeDownload counts a download over a link, because each writes to the audit log,
// where it stays. It tells how the caller stands only when it refuses: a link that has
// ended must look like one that never was.
func (s *Server) takeDownload(header http.Header, link [csvLinkSize]byte) (giveBack func(), err error) {
	l := s.limits.link
	if l == nil {
		return func() {}, nil
	}
	if taken := l.Take(link, s.Store.Now()); !taken.OK {
		return nil, l.tell(header, taken)
	}
	return func() { l.GiveBack(link) }, nil
}

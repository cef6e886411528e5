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

// limits are the rate limits of this process; nil where a limit is off.
type limits struct {
	address *limit[netip.Prefix]
	user    *limit[string]            // by user id, over all tokens of the user
	link    *limit[[csvLinkSize]byte] // downloads by link
}

const (
	// limitWindow is the window of the quotas of requests. After such a time without a
	// request, the whole quota can be used at once.
	limitWindow = 2 * time.Second
	// linkWindow is the window of the quota of downloads over one link.
	linkWindow = time.Minute
	// limitKeys is the number of keys that a limit remembers, which take about 15 MB.
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

// limit is a Limiter that tells callers what is left of their quota, in the headers of
// draft-ietf-httpapi-ratelimit-headers-11.
type limit[K comparable] struct {
	*ratelimit.Limiter[K]
	name   string   // quoted, as the headers have it
	policy []string // the header RateLimit-Policy, the same on every answer
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

// take counts one request of the key and sets the headers. It fails with errTooMany.
func (l *limit[K]) take(header http.Header, key K, now time.Time) error {
	if l == nil {
		return nil
	}
	return l.tell(header, l.Take(key, now))
}

// refuse returns the answer to a Take that was not granted.
func (l *limit[K]) refuse(taken ratelimit.Taken) error {
	header := http.Header{}
	_ = l.tell(header, taken) // always errTooMany; the refusal carries the headers
	return &refusal{status: errTooMany.status, detail: errTooMany.detail, header: header}
}

// tell sets the headers, and fails with errTooMany if nothing was granted. It spells the
// names as net/http stores them, because it runs for every request.
func (l *limit[K]) tell(header http.Header, taken ratelimit.Taken) error {
	seconds := int64(wholeSeconds(taken.Wait))
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

// limitByAddress limits the requests of one address, before any other work. /healthz has no
// limit, because it costs nothing and monitors may share an address with other clients.
func (s *Server) limitByAddress(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == "/healthz" {
			return next(c)
		}
		if err := s.limits.address.take(c.Response().Header(), clientAddress(c), s.Store.Clock()); err != nil {
			return err
		}
		return next(c)
	}
}

// clientAddress returns the caller's IPv4 address or IPv6 /64 network. A household or a
// machine has a whole /64.
func clientAddress(c echo.Context) netip.Prefix { return network(c.RealIP(), 32, 64) }

// network returns the network that an address belongs to, of bits4 bits for IPv4 and bits6
// bits for IPv6. It is the zero Prefix for a connection without an address.
func network(text string, bits4, bits6 int) netip.Prefix {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap() // an IPv4 client of an IPv6 socket
	bits := bits4
	if address.Is6() {
		bits = bits6
	}
	prefix, _ := address.Prefix(bits) // fails only for too many bits
	return prefix
}

// takeDownload counts a download over a link. Downloads are limited, because each adds an
// entry to the audit log. Only a refusal has the headers of the limit, because a link that
// has ended must look like one that never existed.
func (s *Server) takeDownload(header http.Header, link [csvLinkSize]byte) (giveBack func(), err error) {
	l := s.limits.link
	if l == nil {
		return func() {}, nil
	}
	if taken := l.Take(link, s.Store.Clock()); !taken.OK {
		return nil, l.tell(header, taken)
	}
	return func() { l.GiveBack(link) }, nil
}

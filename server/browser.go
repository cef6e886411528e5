package server

import (
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// securityHeaders lets browsers only show an answer, and lets nobody cache it, because
// answers hold cards, tokens and codes. The few answers that may be cached, and the page
// at /docs, override the headers.
func (s *Server) securityHeaders() echo.MiddlewareFunc {
	always := http.Header{}
	always.Set(echo.HeaderXContentTypeOptions, "nosniff")
	always.Set(echo.HeaderReferrerPolicy, "no-referrer")
	always.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	always.Set(echo.HeaderCacheControl, "no-store")
	if strings.HasPrefix(s.BaseURL, "https://") {
		always.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000") // a year, for this host alone: the operator decides about others
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			maps.Copy(c.Response().Header(), always)
			return next(c)
		}
	}
}

// allowOrigins lets the pages of CORSOrigins call the server (CORS). If there are none, no
// answer has a CORS header.
func (s *Server) allowOrigins() echo.MiddlewareFunc {
	if len(s.CORSOrigins) == 0 {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	allowed := []string{echo.HeaderAuthorization, echo.HeaderContentType, "Idempotency-Key", echo.HeaderXRequestID}
	exposed := []string{
		echo.HeaderWWWAuthenticate, echo.HeaderLocation, "Link", echo.HeaderRetryAfter, "Idempotent-Replayed",
		"Cards-Wanted", "Cards-Written",
		"RateLimit", "RateLimit-Policy", echo.HeaderXRequestID,
	}
	if s.Sandbox {
		allowed = append(allowed, "Prefer", "Sandbox-Now", "Sandbox-Fault", "Sandbox-Task")
		exposed = append(exposed, "Preference-Applied")
	}
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool { // an OPTIONS that is no preflight request gets 405
			r := c.Request()
			return r.Method == http.MethodOptions &&
				(r.Header.Get(echo.HeaderOrigin) == "" || r.Header.Get(echo.HeaderAccessControlRequestMethod) == "")
		},
		AllowOrigins:  s.CORSOrigins,
		AllowMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost},
		AllowHeaders:  allowed,
		ExposeHeaders: exposed,
		MaxAge:        600, // seconds; no browser allows less
	})
}

// addressFrom returns how to find the address of a request's client. It is the peer's
// address or, if the peer is a trusted proxy, the rightmost address in X-Forwarded-For that
// is not a trusted proxy's.
func addressFrom(proxies []*net.IPNet) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, network := range proxies {
		trust = append(trust, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

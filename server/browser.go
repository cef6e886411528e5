package server

import (
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// securityHeaders tells browsers to do nothing with an answer but to show it, and
// everybody to keep none: answers hold cards, tokens and codes. The few that may
// be kept, and the page at /docs, say so themselves.
func (s *Server) securityHeaders() echo.MiddlewareFunc {
	always := http.Header{}
	always.Set(echo.HeaderXContentTypeOptions, "nosniff")
	always.Set(echo.HeaderReferrerPolicy, "no-referrer")
	always.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	always.Set(echo.HeaderCacheControl, "no-store")
	if strings.HasPrefix(s.BaseURL, "https://") {
		always.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000") // a year; of other hosts the operator decides
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			maps.Copy(c.Response().Header(), always)
			return next(c)
		}
	}
}

// allowOrigins lets the pages of the named origins call the server (CORS).
// Without any, the headers are not even mentioned.
func (s *Server) allowOrigins() echo.MiddlewareFunc {
	if len(s.CORSOrigins) == 0 {
		return func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool { // an OPTIONS that no page sends is a method like any other
			r := c.Request()
			return r.Method == http.MethodOptions &&
				(r.Header.Get(echo.HeaderOrigin) == "" || r.Header.Get(echo.HeaderAccessControlRequestMethod) == "")
		},
		AllowOrigins:  s.CORSOrigins,
		AllowMethods:  []string{http.MethodGet, http.MethodPost},
		AllowHeaders:  []string{echo.HeaderAuthorization, echo.HeaderContentType, "Idempotency-Key", echo.HeaderXRequestID},
		ExposeHeaders: []string{"Link", echo.HeaderLocation, echo.HeaderRetryAfter, "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", echo.HeaderXRequestID},
		MaxAge:        600, // seconds, which every browser grants
	})
}

// addressFrom says whom a request comes from: the peer, or where the peer is a
// proxy that is trusted, whom X-Forwarded-For names, read from the right.
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

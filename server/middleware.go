package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// requestIDPattern is what a caller's X-Request-Id must match. Any other value is dropped,
// because it would go into the log and into the answer.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestIDs are the two ids of a request.
type requestIDs struct {
	ours   string  // from the server, never the same twice
	client *string // from the caller's X-Request-Id; nil if it has none that matches
}

// logRequests gives every request an id and its principal, and logs one line for it. The line
// has the route, and never the path or query, which can hold secrets and personal data. The
// answer has the caller's X-Request-Id if it matches requestIDPattern, else the server's own id.
// The log has both, because anybody can send the id of another request.
func (s *Server) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		ids := requestIDs{ours: uuid.NewString()}
		c.Response().Header().Set(echo.HeaderXRequestID, ids.ours)
		if sent := c.Request().Header.Get(echo.HeaderXRequestID); requestIDPattern.MatchString(sent) {
			ids.client = &sent
			c.Response().Header().Set(echo.HeaderXRequestID, sent)
		}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), principalKey{}, &principal{request: ids})))
		brokenOff := true
		// Deferred, because an answer that is broken off ends in a panic.
		defer func() { s.logRequest(c, ids, time.Since(start), brokenOff) }()
		if err := next(c); err != nil {
			c.Error(err)
		}
		brokenOff = false
		return nil
	}
}

func (s *Server) logRequest(c echo.Context, ids requestIDs, duration time.Duration, brokenOff bool) {
	log := s.Logger
	if !brokenOff && c.Response().Status < http.StatusBadRequest {
		if s.LogSample > 1 && rand.IntN(s.LogSample) > 0 { //nolint:gosec // a sample needs no secret
			return
		}
		log = s.Successes
	}
	// Not through logger, because With would format the ids in a second piece of memory.
	attrs := append(make([]slog.Attr, 0, 7), slog.String("request_id", ids.ours))
	if ids.client != nil {
		attrs = append(attrs, slog.String("client_request_id", *ids.client))
	}
	attrs = append(attrs,
		slog.String("method", c.Request().Method), slog.String("route", c.Path()), slog.Int("status", c.Response().Status),
		slog.Int64("bytes", c.Response().Size), slog.Duration("duration", duration))
	log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request", attrs...)
}

// requestIDsOf returns the ids that logRequests gave to the request.
func requestIDsOf(c echo.Context) requestIDs { return caller(c.Request().Context()).request }

// logger returns a logger that adds the ids of a request: request_id is the server's,
// client_request_id the caller's.
func (s *Server) logger(c echo.Context) *slog.Logger {
	ids := requestIDsOf(c)
	if ids.client == nil {
		return s.Logger.With("request_id", ids.ours)
	}
	return s.Logger.With("request_id", ids.ours, "client_request_id", *ids.client)
}

// recoverPanics turns a panic into an error, which is logged and answered with 500. It lets
// http.ErrAbortHandler through, with which a stream that fails closes its connection.
func (s *Server) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch panicked := recover(); panicked {
			case nil:
			case http.ErrAbortHandler:
				panic(panicked)
			default:
				err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
			}
		}()
		return next(c)
	}
}

// declaredMethodsOnly answers OPTIONS with 405, as any method that the document does not
// have. Echo would answer it by itself.
func declaredMethodsOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions && c.Get(echo.ContextKeyHeaderAllow) != nil {
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// allowed returns echo's Allow header without OPTIONS, which echo adds.
func allowed(c echo.Context) string {
	allow, _ := c.Get(echo.ContextKeyHeaderAllow).(string)
	methods := strings.Split(allow, ", ")
	kept := methods[:0]
	for _, method := range methods {
		if method != http.MethodOptions {
			kept = append(kept, method)
		}
	}
	return strings.Join(kept, ", ")
}

// limitTime bounds how long a request may wait, for example for the database. A stream may
// take longer and sets its own limit.
func limitTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTimeout)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

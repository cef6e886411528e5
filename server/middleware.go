package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// requestIDPattern is what a caller's X-Request-Id must look like to be kept: it goes
// into the log and into the answer.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestIDs are what a request is called: by us, and by the caller.
type requestIDs struct {
	ours   string
	client *string // the X-Request-Id that came with it, nil without a fit one
}

const requestIDsKey = "giftcards.request_ids"

// logRequests gives every request an id of its own and writes one line for each: the
// route, never the path or query, which can hold secrets and personal data. The
// answer has the caller's X-Request-Id if that is fit, else ours. The log has both,
// because anybody can send another request's id.
func (s *Server) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		ids := requestIDs{ours: uuid.NewString()}
		c.Response().Header().Set(echo.HeaderXRequestID, ids.ours)
		if sent := c.Request().Header.Get(echo.HeaderXRequestID); requestIDPattern.MatchString(sent) {
			ids.client = &sent
			c.Response().Header().Set(echo.HeaderXRequestID, sent)
		}
		c.Set(requestIDsKey, ids)
		defer func() { // also when the answer is broken off, which is a panic
			s.logger(c).InfoContext(c.Request().Context(), "request",
				"method", c.Request().Method, "route", c.Path(), "status", c.Response().Status,
				"bytes", c.Response().Size, "duration", time.Since(start))
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// requestIDsOf are the ids that logRequests gave.
func requestIDsOf(c echo.Context) requestIDs {
	ids, _ := c.Get(requestIDsKey).(requestIDs)
	return ids
}

// logger writes lines with the ids of a request: request_id is ours, client_request_id
// the caller's.
func (s *Server) logger(c echo.Context) *slog.Logger {
	ids := requestIDsOf(c)
	if ids.client == nil {
		return s.Logger.With("request_id", ids.ours)
	}
	return s.Logger.With("request_id", ids.ours, "client_request_id", *ids.client)
}

// recoverPanics answers 500 and logs the panic. http.ErrAbortHandler passes: it
// is how a stream that cannot be finished breaks off its connection.
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

// declaredMethodsOnly makes OPTIONS a method like any other: 405 where the
// document has no such operation.
func declaredMethodsOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions && c.Get(echo.ContextKeyHeaderAllow) != nil {
			return echo.ErrMethodNotAllowed
		}
		return next(c)
	}
}

// allowed is echo's Allow header without the OPTIONS it adds.
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

// limitTime bounds what a request may wait for, such as the database. Streams,
// which may take longer, set their own bound.
func limitTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), requestTimeout)
		defer cancel()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

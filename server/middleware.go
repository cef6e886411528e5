package server

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// requestIDPattern is what a caller's X-Request-Id must look like to be taken
// over: it goes into the log.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// logRequests gives every request an id, the caller's X-Request-Id if fit, and
// writes one line for each: the route, never the path or query, which can hold
// secrets and personal data.
func (s *Server) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDPattern.MatchString(id) {
			id = uuid.NewString()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		defer func() { // also when the answer is broken off, which is a panic
			s.Logger.InfoContext(c.Request().Context(), "request",
				"method", c.Request().Method, "route", c.Path(), "status", c.Response().Status,
				"bytes", c.Response().Size, "duration", time.Since(start), "request_id", id)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// requestID is the id that logRequests gave.
func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

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

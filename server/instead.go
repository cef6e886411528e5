package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"giftcards/store"
	"giftcards/store/id"
)

// This file is what a sandbox in front of the server asks of it for one request. Nobody else
// makes such a context.

type (
	insteadKey struct{}
	byTaskKey  struct{}
)

// instead answers in place of the server.
type instead struct {
	answer http.Handler
	route  string // of the answer, for the log; "" for that of the server's operation
}

// Instead returns the context of a request that answer answers in place of the operation. The
// answer gets the headers of every answer, and the log a line. Only a server with
// Options.Sandbox does so.
func Instead(ctx context.Context, answer http.Handler) context.Context {
	return Beside(ctx, "", answer)
}

// Beside is Instead for a request that asks for no operation of the server. The log line of the
// request has route, such as /sandbox/worlds/:name.
func Beside(ctx context.Context, route string, answer http.Handler) context.Context {
	return context.WithValue(ctx, insteadKey{}, instead{answer, route})
}

// AuditEntry returns the entry of the audit log for what an answer of Beside does: with the
// caller's address and the ids of the request. ctx is that of the answer's request.
func AuditEntry(ctx context.Context, operation string) store.AuditEntry {
	return caller(ctx).auditEntry(operation, id.ID{}, nil, 0)
}

// answersInstead lets the handler that Instead has put into the context answer.
func (s *Server) answersInstead() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !s.Sandbox {
			return next
		}
		return func(c echo.Context) error {
			r := c.Request()
			one, ok := r.Context().Value(insteadKey{}).(instead)
			if !ok {
				return next(c)
			}
			if one.route != "" {
				c.SetPath(one.route)
			}
			if isLarge(r) { // nobody wants so much
				answerFirst(c)
				doNotWant(r)
			}
			// The answer may send requests to the server, which answers these itself.
			ctx := context.WithValue(r.Context(), insteadKey{}, nil)
			ctx = context.WithValue(ctx, principalKey{}, &principal{client: c.RealIP(), request: requestIDsOf(c)})
			one.answer.ServeHTTP(c.Response(), r.WithContext(ctx))
			return nil
		}
	}
}

// WithBulkTask returns the context of a bulk request that a task carries out, or that is carried
// out at once, whatever Options.BulkThreshold is. At most mostAtOnce cards are issued at once.
func WithBulkTask(ctx context.Context, byTask bool) context.Context {
	return context.WithValue(ctx, byTaskKey{}, byTask)
}

// mostAtOnce is how many cards a bulk request issues at once if WithBulkTask says so. They are
// written row by row.
const mostAtOnce = 1_000

// byTask reports whether a task issues the cards of a bulk request.
func (s *Server) byTask(ctx context.Context, cards int) (bool, error) {
	chosen, ok := ctx.Value(byTaskKey{}).(bool)
	switch {
	case !ok:
		return cards > s.BulkThreshold, nil
	case !chosen && cards > mostAtOnce:
		return false, &refusal{status: http.StatusBadRequest, detail: fmt.Sprintf("Prefer: code=201 issues at most %d cards at once", mostAtOnce)}
	}
	return chosen, nil
}

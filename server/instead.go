package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// This file is what a sandbox in front of the server asks of it for one request. Nobody else
// makes such a context.

type (
	insteadKey struct{}
	byTaskKey  struct{}
)

// Instead returns the context of a request that answer answers in place of the operation. The
// answer gets the headers of every answer, and the log a line. Only a server with
// Options.Sandbox does so.
func Instead(ctx context.Context, answer http.Handler) context.Context {
	return context.WithValue(ctx, insteadKey{}, answer)
}

// answersInstead lets the handler that Instead has put into the context answer.
func (s *Server) answersInstead() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if !s.Sandbox {
			return next
		}
		return func(c echo.Context) error {
			r := c.Request()
			answer, ok := r.Context().Value(insteadKey{}).(http.Handler)
			if !ok {
				return next(c)
			}
			if isLarge(r) { // nobody reads the body
				answerFirst(c)
				doNotWant(r)
			}
			answer.ServeHTTP(c.Response(), r)
			return nil
		}
	}
}

// WithBulkTask returns the context of a bulk request that a task carries out, or that is
// carried out at once, whatever the number of cards is.
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

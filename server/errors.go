package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
	"giftcards/store"
)

// refusal is an answer of {"detail": "<sentence>"}.
type refusal struct {
	status     int
	detail     string
	retryAfter int         // seconds, of a 429 or 503; retryAfter if zero
	header     http.Header // nil if there is nothing to add
}

func (r *refusal) Error() string { return r.detail }

var statusOf = map[store.Kind]int{
	store.NotFound:    http.StatusNotFound,
	store.Forbidden:   http.StatusForbidden,
	store.Unavailable: http.StatusServiceUnavailable,
	store.Exhausted:   http.StatusTooManyRequests,
}

// retryAfterOf is how long a refused caller is told to wait, in seconds; retryAfter
// where it says nothing.
var retryAfterOf = map[store.Kind]int{store.Exhausted: backlogRetry}

// handleError is the one place where an error becomes an answer. What it does not
// know is a fault of ours: 500, without its text, which the log has.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		level := slog.LevelError
		if errors.Is(err, errClientGone) {
			level = slog.LevelInfo
		}
		s.logger(c).Log(c.Request().Context(), level, "answer broken off", "error", err)
		panic(http.ErrAbortHandler)
	}
	if invalid, ok := errors.AsType[validate.Errors](err); ok {
		s.instrumentation.countRefusals(c.Request().Context(), invalid)
		s.writeJSON(c, http.StatusUnprocessableEntity, map[string]validate.Errors{"detail": invalid})
		return
	}
	answer, large := s.refusalOf(err, c), answerFirst(c)
	header := c.Response().Header()
	header.Del(echo.HeaderContentDisposition)
	maps.Copy(header, answer.header)
	switch answer.status {
	case http.StatusUnauthorized:
		header.Set(echo.HeaderWWWAuthenticate, "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if header.Get(echo.HeaderRetryAfter) == "" { // a limit knows better
			header.Set(echo.HeaderRetryAfter, strconv.Itoa(cmp.Or(answer.retryAfter, retryAfter)))
		}
	case http.StatusMethodNotAllowed:
		header.Set(echo.HeaderAllow, allowed(c))
	case http.StatusRequestTimeout:
		header.Set("Connection", "close") // the rest of the body may still come
	}
	s.writeJSON(c, answer.status, map[string]string{"detail": answer.detail})
	switch answer.status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable:
		if large { // of a caller whom we know
			s.discardBody(c)
		}
	}
}

func (s *Server) refusalOf(err error, c echo.Context) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if failed, ok := errors.AsType[*store.Error](err); ok {
		if status, ok := statusOf[failed.Kind]; ok {
			if failed.Kind == store.Unavailable {
				s.logger(c).WarnContext(c.Request().Context(), "database unavailable", "error", err)
			}
			return &refusal{status: status, detail: failed.Message, retryAfter: retryAfterOf[failed.Kind]}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.logger(c).WarnContext(c.Request().Context(), "request took too long", "error", err, "route", c.Path())
		return &refusal{status: http.StatusServiceUnavailable, detail: "Service unavailable"}
	}
	if errors.Is(err, context.Canceled) { // nobody reads the answer
		s.logger(c).InfoContext(c.Request().Context(), "the client has gone", "route", c.Path())
		return &refusal{status: http.StatusServiceUnavailable, detail: "Service unavailable"}
	}
	if routing, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch routing.Code {
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			return &refusal{status: routing.Code, detail: http.StatusText(routing.Code)}
		}
	}
	s.logger(c).ErrorContext(c.Request().Context(), "request failed", "error", err, "route", c.Path())
	return &refusal{status: http.StatusInternalServerError, detail: http.StatusText(http.StatusInternalServerError)}
}

// writeJSON writes a whole answer, with its length: a client must know that it has
// all of it, although the server may still take in the request's body.
func (s *Server) writeJSON(c echo.Context, status int, body any) {
	encoded, err := json.Marshal(body)
	if err == nil {
		encoded = append(encoded, '\n')
		c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(encoded)))
		err = c.JSONBlob(status, encoded)
	}
	if err != nil {
		s.logger(c).InfoContext(c.Request().Context(), "answer not sent", "error", err)
	}
}

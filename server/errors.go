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
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/server/downloadpage"
	"giftcards/server/validate"
	"giftcards/store"
)

// refusal is an answer of {"detail": "<sentence>"}.
type refusal struct {
	status     int
	detail     string
	retryAfter int         // seconds, for a 429 or 503; zero means the constant retryAfter
	header     http.Header // headers to add; may be nil
}

func (r *refusal) Error() string { return r.detail }

var statusOf = map[store.Kind]int{
	store.NotFound:    http.StatusNotFound,
	store.Forbidden:   http.StatusForbidden,
	store.Unavailable: http.StatusServiceUnavailable,
	store.Exhausted:   http.StatusTooManyRequests,
	store.Refused:     http.StatusBadRequest,
	store.Busy:        http.StatusConflict,
	store.WrongCode:   http.StatusUnauthorized,
}

// retryAfterOf is the Retry-After of a kind of error, in seconds. Other kinds have
// retryAfter.
var retryAfterOf = map[store.Kind]int{store.Exhausted: backlogRetry, store.Busy: 1}

// handleError is the only place where an error becomes an answer. An error that it does
// not know is a fault of the server: the answer is 500 without its text, which goes into
// the log.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		level := slog.LevelError
		if errors.Is(err, errClientGone) {
			level = slog.LevelInfo
		}
		s.logger(c).Log(c.Request().Context(), level, "answer broken off", "error", err)
		// The panic closes the connection, so that the client sees that bytes are missing.
		panic(http.ErrAbortHandler)
	}
	if invalid, ok := errors.AsType[validate.Errors](err); ok {
		s.instrumentation.countRefusals(c.Request().Context(), invalid)
		s.writeJSON(c, http.StatusUnprocessableEntity, map[string]validate.Errors{"detail": invalid})
		return
	}
	s.instrumentation.countCardRefusal(c, err)
	if over, ok := errors.AsType[*store.ReloadLimitError](err); ok {
		s.writeJSON(c, http.StatusBadRequest, toReloadRefusal(over))
		return
	}
	answer := s.refusalOf(err, c)
	if isLarge(c.Request()) {
		answerFirst(c)
	}
	header := c.Response().Header()
	header.Del(echo.HeaderContentDisposition) // a download may have set it before it failed
	maps.Copy(header, answer.header)
	switch answer.status {
	case http.StatusUnauthorized:
		challenge := "Bearer"
		if failed, ok := errors.AsType[*store.Error](err); ok && failed.Kind == store.WrongCode {
			challenge = "SecurityCode" // the token is good
		}
		header.Set(echo.HeaderWWWAuthenticate, challenge)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusConflict:
		if header.Get(echo.HeaderRetryAfter) == "" { // a rate limit has set the exact time
			header.Set(echo.HeaderRetryAfter, strconv.Itoa(cmp.Or(answer.retryAfter, retryAfter)))
		}
	case http.StatusMethodNotAllowed:
		header.Set(echo.HeaderAllow, allowed(c))
	case http.StatusRequestTimeout:
		header.Set("Connection", "close") // the rest of the body may still come
	}
	if c.Path() == downloadsRoute && prefersPage(c.Request().Header.Get(echo.HeaderAccept)) {
		s.unsent(c, downloadpage.WriteRefusal(c.Response(), answer.status, answer.detail))
		return
	}
	s.writeJSON(c, answer.status, map[string]string{"detail": answer.detail})
	switch answer.status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable:
		doNotWant(c.Request()) // only callers with a good token get these statuses
	}
}

// refusalOf returns the answer to an error, and logs an error that is not the caller's.
func (s *Server) refusalOf(err error, c echo.Context) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if locked, ok := errors.AsType[*store.NumberLockedError](err); ok {
		return tooMany(locked.Wait)
	}
	if over, ok := errors.AsType[*store.ResendLimitError](err); ok {
		return tooMany(over.RetryAfter)
	}
	if missing, ok := errors.AsType[*store.NoCardsError](err); ok {
		if missing.Task.Finished() {
			return &refusal{status: http.StatusNotFound, detail: missing.Error()}
		}
		return &refusal{status: http.StatusConflict, detail: missing.Error()}
	}
	// A store.Error of a kind that is not in statusOf is a fault of the server.
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
	if errors.Is(err, context.Canceled) { // the client hung up and reads no answer
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

// tooMany is a 429 that ends after a time.
func tooMany(wait time.Duration) *refusal {
	return &refusal{status: errTooMany.status, detail: errTooMany.detail, retryAfter: wholeSeconds(wait)}
}

// wholeSeconds rounds up, so that a retry after so many seconds is not too early.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// writeJSON writes an answer with its length, so that a client knows when it has all of
// it, even while the server still reads the request's body.
func (s *Server) writeJSON(c echo.Context, status int, body any) {
	encoded, err := json.Marshal(body)
	if err == nil {
		encoded = append(encoded, '\n')
		c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(encoded)))
		err = c.JSONBlob(status, encoded)
	}
	s.unsent(c, err)
}

// unsent logs why an answer could not be sent, if there is an error.
func (s *Server) unsent(c echo.Context, err error) {
	if err != nil {
		s.logger(c).InfoContext(c.Request().Context(), "answer not sent", "error", err)
	}
}

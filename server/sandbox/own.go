package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"giftcards/store"
)

// This file holds what the sandbox's own operations have in common: how they read a body, and
// how an error becomes an answer.

// ownBodyLimit is the largest body of an operation of the sandbox's own, in bytes.
const ownBodyLimit = 64 << 10

// badRequest is a sentence for a client whose request is refused.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// answering makes a handler of an operation that returns its answer or an error.
func (s *Sandbox) answering(operation func(http.ResponseWriter, *http.Request) (status int, body any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, body, err := operation(w, r)
		switch {
		case err != nil:
			s.fail(w, r, err)
		case body == nil:
			w.WriteHeader(status)
		default:
			s.answerJSON(w, status, body)
		}
	}
}

// fail answers with an error. An error that it does not know is a fault of the server, which
// is logged and not told.
func (s *Sandbox) fail(w http.ResponseWriter, r *http.Request, err error) {
	if bad, ok := errors.AsType[badRequest](err); ok {
		s.refuse(w, http.StatusBadRequest, string(bad))
		return
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body must have %d bytes at most", ownBodyLimit))
		return
	}
	if refused, ok := errors.AsType[*stateRefused](err); ok {
		s.refuse(w, http.StatusBadRequest, refused.Error())
		return
	}
	if failed, ok := errors.AsType[*store.Error](err); ok {
		switch failed.Kind {
		case store.NotFound:
			s.refuse(w, http.StatusNotFound, failed.Message)
			return
		case store.Conflict:
			status := http.StatusConflict
			if errors.Is(failed, store.ErrBadName) {
				status = http.StatusBadRequest
			}
			s.refuse(w, status, failed.Message)
			return
		case store.Exhausted:
			s.refuse(w, http.StatusTooManyRequests, failed.Message+": delete those that no test needs any more")
			return
		case store.Unavailable:
			s.Logger.WarnContext(r.Context(), "database unavailable", "error", err)
			s.refuse(w, http.StatusServiceUnavailable, failed.Message)
			return
		}
	}
	s.Logger.ErrorContext(r.Context(), "operation of the sandbox failed", "error", err)
	if store.Denied(err) != "" {
		s.refuse(w, http.StatusInternalServerError, "The server's database role may not do this: run giftcards migrate up --serve-role with GIFTCARDS_SANDBOX=true")
		return
	}
	s.refuse(w, http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
}

// decode reads a JSON object, or nothing, into target. Properties that target does not have
// are refused, because a misspelt one would have no effect.
func decode(w http.ResponseWriter, r *http.Request, target any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, ownBodyLimit))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	err := decoder.Decode(target)
	if errors.Is(err, io.EOF) {
		return nil // no body
	}
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return badRequest("The body must be one JSON object")
		}
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "" {
			return badRequest("The body must be a JSON object")
		}
		return badRequest(fmt.Sprintf("%s must not be a JSON %s", wrong.Field, wrong.Value))
	}
	if unknown, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return badRequest("The body must not have the property " + shortened(unknown))
	}
	return badRequest("The body is not JSON: " + strings.TrimPrefix(err.Error(), "json: "))
}

// shortened returns at most 100 characters of a text of the client's, for a sentence.
func shortened(text string) string {
	const most = 100
	characters := []rune(text)
	if len(characters) <= most {
		return text
	}
	return string(characters[:most]) + "…"
}

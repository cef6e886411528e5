package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"giftcards/store"
)

// This file holds what the sandbox's own operations have in common: how they read a body, and
// how an error becomes an answer.

// ownBodyLimit is the largest body of an operation of the sandbox's own, in bytes.
const ownBodyLimit = 64 << 10

// badRequestError is a sentence for a client whose request is refused.
type badRequestError string

func (e badRequestError) Error() string { return string(e) }

func badRequest(sentence string) error { return badRequestError(sentence) }

// notFoundError is a sentence for a client who names something that does not exist.
type notFoundError string

func (e notFoundError) Error() string { return string(e) }

func notFound(sentence string) error { return notFoundError(sentence) }

// answering turns an operation, which returns its answer or an error, into a handler. A nil body
// is an answer without a body.
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

// fail answers with an error. If the client has not caused the error, fail logs it and does not
// show its text.
func (s *Sandbox) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, detail := refusalOf(err)
	switch status {
	case http.StatusServiceUnavailable:
		s.Logger.WarnContext(r.Context(), "database unavailable", "error", err, "route", r.Pattern)
	case http.StatusInternalServerError:
		s.Logger.ErrorContext(r.Context(), "request failed", "error", err, "route", r.Pattern)
	}
	s.refuse(w, status, detail)
}

const errPrivilege = "The server's database role may not do this: run giftcards migrate up --serve-role with GIFTCARDS_SANDBOX=true"

func refusalOf(err error) (status int, detail string) {
	if bad, ok := errors.AsType[badRequestError](err); ok {
		return http.StatusBadRequest, string(bad)
	}
	if missing, ok := errors.AsType[notFoundError](err); ok {
		return http.StatusNotFound, string(missing)
	}
	if refused, ok := errors.AsType[*stateRefusedError](err); ok {
		// A retry may work after these, so they must not look like a fault of the request.
		if isPassing := refused.status == http.StatusTooManyRequests || refused.status >= http.StatusInternalServerError; isPassing {
			return refused.status, refused.Error()
		}
		return http.StatusBadRequest, refused.Error()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("The body must have %d bytes at most", ownBodyLimit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) {
		return http.StatusBadRequest, "The body did not arrive"
	}
	if failed, ok := errors.AsType[*store.Error](err); ok {
		// The kind of ErrBadName is Conflict, but here the name is a fault of the body.
		if status, ok := statusOf[failed.Kind]; ok && !errors.Is(failed, store.ErrBadName) {
			return status, failed.Message
		}
		return http.StatusBadRequest, failed.Message
	}
	if store.Denied(err) != "" {
		return http.StatusInternalServerError, errPrivilege
	}
	return http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError)
}

// statusOf has the status of each kind of error whose status is not 400.
var statusOf = map[store.Kind]int{
	store.NotFound:    http.StatusNotFound,
	store.Conflict:    http.StatusConflict,
	store.Exhausted:   http.StatusTooManyRequests,
	store.Busy:        http.StatusConflict,
	store.Unavailable: http.StatusServiceUnavailable,
}

// decode reads a JSON object, or nothing, into target. Properties that target does not have
// are refused, because a misspelt one would have no effect.
func decode(w http.ResponseWriter, r *http.Request, target any) error {
	return decodeBody(w, r, target, (*json.Decoder).DisallowUnknownFields)
}

// decodeKnown is decode, but it ignores properties that target does not have.
func decodeKnown(w http.ResponseWriter, r *http.Request, target any) error {
	return decodeBody(w, r, target, func(*json.Decoder) {})
}

func decodeBody(w http.ResponseWriter, r *http.Request, target any, restrict func(*json.Decoder)) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ownBodyLimit))
	if err != nil {
		return err
	}
	switch string(bytes.TrimSpace(body)) {
	case "":
		return nil
	case "null": // it decodes into anything, and would have no effect
		return badRequest("The body must be a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	restrict(decoder)
	if err = decoder.Decode(target); err == nil {
		// A second value after the object would have no effect either.
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return badRequest("The body must be one JSON object")
		}
		return nil
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
	return badRequest("The body is not JSON: " + err.Error())
}

// shortened cuts a text from the client to 100 characters, for use in a sentence.
func shortened(text string) string {
	const most = 100
	characters := []rune(text)
	if len(characters) <= most {
		return text
	}
	return string(characters[:most]) + "…"
}

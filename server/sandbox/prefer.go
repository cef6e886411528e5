package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"giftcards/server"
)

// This file answers with a status that the client has chosen (Prefer: code=…). refusals.go and
// examples.go have the bodies.

// appliedHeader says which preference was followed (RFC 7240).
const appliedHeader = "Preference-Applied"

func applied(code int) string { return fmt.Sprintf("code=%d", code) }

// carryOut returns a handler by which the server carries out a bulk request: at once for 201, and
// by a task for 202.
func (s *Sandbox) carryOut(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := server.WithBulkTask(r.Context(), code == http.StatusAccepted)
		s.Next.ServeHTTP(&appliedWriter{ResponseWriter: w, code: code}, r.WithContext(ctx))
	})
}

// appliedWriter adds Preference-Applied if the answer has the preferred code. A refusal has
// another code, and the replay of an earlier answer may have another one.
type appliedWriter struct {
	http.ResponseWriter
	code int
}

// WriteHeader adds the header.
func (w *appliedWriter) WriteHeader(status int) {
	if status == w.code {
		w.Header().Set(appliedHeader, applied(w.code))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the writer that http.ResponseController works on.
func (w *appliedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// chosen returns a handler that answers with a status that the document declares for the
// operation. The request has no effect.
func (s *Sandbox) chosen(op operation, code int) http.Handler {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		example := s.newExample(op, code, r)
		header := w.Header()
		for name := range op.declared.Responses.Status(code).Value.Headers {
			if value := example.header(name); value != "" {
				header.Set(name, value)
			}
		}
		// The state "an exhausted rate limit" also uses this handler, without a preference.
		if preferred, _ := preferredCode(r.Header.Values(preferHeader)); preferred == code {
			header.Set(appliedHeader, applied(code))
		}
		if example.mediaType() == "text/html" {
			s.note(example.writePage(w))
			return
		}
		body, err := example.body() //nolint:contextcheck // the example has the request, with its context
		if err != nil {
			s.Logger.Error("no example of an answer", "operation", op.id, "status", code, "error", err)
			s.refuse(w, http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
			return
		}
		header.Set("Content-Type", example.contentType())
		header.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(code)
		_, err = w.Write(body) //nolint:gosec // JSON, CSV or a workbook; nothing of the request but ids
		s.note(err)
	})
	// The answer goes through the server, so that it has the headers of all answers.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Next.ServeHTTP(w, r.WithContext(server.Instead(r.Context(), answer)))
	})
}

// note logs the error of sending an answer, if there is one.
func (s *Sandbox) note(err error) {
	if err != nil {
		s.Logger.Info("answer not sent", "error", err)
	}
}

// header returns the value of a declared header, or "" if this answer does not have it.
func (e *example) header(name string) string {
	switch name {
	case "Retry-After":
		return e.retryAfter()
	case "Ratelimit-Policy", "RateLimit-Policy":
		return `"user";q=2000;w=2`
	case "Ratelimit", "RateLimit":
		return `"user";r=0;t=1`
	case "WWW-Authenticate":
		return "Bearer"
	case "Idempotent-Replayed":
		// Only an answer to a request with a key can be a replay.
		if e.request.Header.Get("Idempotency-Key") == "" {
			return ""
		}
		return "true"
	case "Location":
		return e.sandbox.operations.base + "/v2/giftcards/programs/" + e.param("programId") + "/cards/bulk/" + exampleTask
	case "Link":
		return e.link()
	case "Content-Disposition":
		return `attachment; filename="gift-cards.` + e.fileName() + `"`
	case "Cards-Wanted", "Cards-Written": // the example of a task has one card
		return "1"
	case "Vary":
		return "Accept"
	}
	return ""
}

// retryAfter returns the seconds that the server names for the status.
func (e *example) retryAfter() string {
	switch e.code {
	case http.StatusOK: // the example of a task is completed
		return ""
	case http.StatusConflict, http.StatusTooManyRequests:
		return "1"
	}
	return "2"
}

// link returns the link to the next page of a list, or to the file of the issued cards.
func (e *example) link() string {
	if strings.HasPrefix(e.op.id, "getGiftCards_") || strings.HasPrefix(e.op.id, "searchGiftCards_") {
		path := strings.Replace(e.op.path, "{programId}", e.param("programId"), 1)
		return "<" + e.sandbox.BaseURL + path + "?after=" + exampleCard + exampleProgram + `&limit=1>; rel="next"`
	}
	return "<" + e.csvURL() + `>; rel="alternate"; type="text/csv"`
}

func (e *example) csvURL() string {
	return e.sandbox.BaseURL + "/v2/giftcards/downloads/" + exampleLink
}

// mediaType returns the declared media type that the client accepts. The query of a download may
// also choose the format.
func (e *example) mediaType() string {
	content := e.op.declared.Responses.Status(e.code).Value.Content
	declared := func(mediaType string) bool { return content[mediaType] != nil }
	accepted := strings.Split(e.request.Header.Get("Accept"), ",")
	wantsPage := slices.ContainsFunc(accepted, func(a string) bool { return strings.HasPrefix(strings.TrimSpace(a), "text/html") })
	switch format := e.request.URL.Query().Get("format"); {
	case format == "xlsx" && declared(workbookType):
		return workbookType
	case declared("text/html") && (format == "" && wantsPage || len(content) == 1):
		return "text/html"
	case declared("text/csv"):
		return "text/csv"
	}
	return "application/json"
}

func (e *example) contentType() string {
	if mediaType := e.mediaType(); mediaType != "text/csv" {
		return mediaType
	}
	return "text/csv; charset=utf-8"
}

func (e *example) fileName() string {
	if e.mediaType() == workbookType {
		return "xlsx"
	}
	return "csv"
}

package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
)

// TestBadCredentialsPathsAndMethodsAreRefusedInTheDocumentedWords, and so are requests for things
// that do not exist.
func TestBadCredentialsPathsAndMethodsAreRefusedInTheDocumentedWords(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	valid := `{"initialValue":25,"count":1}`
	for _, c := range []struct {
		name, method, path, body string
		authorization            string // the merchant's token if empty
		anonymous                bool   // no authorization at all
		status                   int
		detail                   string
	}{
		{
			name: "no credentials", method: "POST", path: m.Cards() + "/bulk", anonymous: true, body: valid,
			status: 401, detail: "Not authenticated",
		},
		{
			name: "another scheme", method: "POST", path: m.Cards() + "/bulk", authorization: "Basic abc", body: valid,
			status: 401, detail: "Not authenticated",
		},
		{
			name: "bad token", method: "POST", path: m.Cards() + "/bulk", authorization: "Bearer abc", body: valid,
			status: 401, detail: "Could not validate credentials",
		},
		{
			name: "bad token before a bad body", method: "POST", path: m.Cards() + "/bulk", authorization: "Bearer abc", body: "{",
			status: 401, detail: "Could not validate credentials",
		},
		{
			name: "no credentials before a bad path", method: "GET", path: "/v2/giftcards/programs/zzz/cards/bulk/x", anonymous: true,
			status: 401, detail: "Not authenticated",
		},
		{
			name: "another merchant's program", method: "POST", path: stranger.Cards() + "/bulk", body: valid,
			status: 403, detail: "Program belongs to another merchant",
		},
		{
			name: "unknown program", method: "POST", path: "/v2/giftcards/programs/000000000000000000000000/cards/bulk", body: valid,
			status: 404, detail: "Program not found",
		},
		{
			name: "unknown program on create", method: "POST", path: "/v2/giftcards/programs/000000000000000000000000/cards", body: `{"initialValue":1,"merchantId":"` + m.ID + `"}`,
			status: 404, detail: "Program not found",
		},
		{
			name: "unknown task", method: "GET", path: m.Cards() + "/bulk/00000000-0000-4000-8000-000000000000",
			status: 404, detail: "Task not found",
		},
		{
			name: "no task id at all", method: "GET", path: m.Cards() + "/bulk/x%2Fy",
			status: 404, detail: "Task not found",
		},
		{
			name: "a task id with a bad escape", method: "GET", path: m.Cards() + "/bulk/%25zz",
			status: 404, detail: "Task not found",
		},
		{
			name: "a task id of all sorts", method: "GET", path: m.Cards() + "/bulk/%F0%9F%98%80%00%3B",
			status: 404, detail: "Task not found",
		},
		{
			name: "unknown path", method: "GET", path: "/v2/nothing",
			status: 404, detail: "Not Found",
		},
		{
			name: "wrong method", method: "DELETE", path: m.Cards(),
			status: 405, detail: "Method Not Allowed",
		},
		{
			name: "OPTIONS", method: "OPTIONS", path: m.Cards(),
			status: 405, detail: "Method Not Allowed",
		},
		{
			name: "bad link", method: "GET", path: "/v2/giftcards/downloads/abc", anonymous: true,
			status: 403, detail: "Download link is invalid or has expired",
		},
		{
			name: "bad link with escapes", method: "GET", path: "/v2/giftcards/downloads/a%2Fb%25", anonymous: true,
			status: 403, detail: "Download link is invalid or has expired",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			if !c.anonymous {
				r.Header.Set("Authorization", cmp.Or(c.authorization, "Bearer "+m.Token))
			}
			answer := s.Send(r)
			var body struct{ Detail any }
			if err := json.Unmarshal(answer.Body, &body); err != nil {
				t.Fatalf("answer %q: %v", answer.Body, err)
			}
			if answer.Status != c.status || body.Detail != c.detail {
				t.Errorf("got %d %v, want %d %s", answer.Status, body.Detail, c.status, c.detail)
			}
			if got := answer.Header.Get("WWW-Authenticate"); (c.status == 401) != (got == "Bearer") {
				t.Errorf("WWW-Authenticate %q with %d", got, c.status)
			}
			if got := answer.Header.Get("Allow"); c.status == 405 && got != "POST" {
				t.Errorf("Allow %q, want POST", got)
			}
		})
	}
}

// TestOddButValidRequestsAreAccepted. Some part of the server that was stricter than the contract
// has once refused each of them.
func TestOddButValidRequestsAreAccepted(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	body := `{"initialValue":25,"merchantId":"` + m.ID + `","expiresAt":"2029-01-01T00:00:00.123456789Z"}`
	twice := jsonHeader.Clone()
	twice["Idempotency-Key"] = []string{"one", "two"}
	escaped := fmt.Sprintf("/v2/giftcards/programs/%%%02x%s/cards", m.ProgramID[0], m.ProgramID[1:])
	for name, answer := range map[string]servertest.Answer{
		"a header twice":         m.Do(http.MethodPost, m.Cards(), twice, []byte(body)),
		"an escaped id":          m.Do(http.MethodPost, escaped, jsonHeader, []byte(body)),
		"a byte-order mark":      m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte("\ufeff"+body)),
		"an empty query":         m.Do(http.MethodPost, m.Cards()+"?", jsonHeader, []byte(body)),
		"no content type at all": m.Do(http.MethodPost, m.Cards(), nil, []byte(body)),
	} {
		if answer.Status != http.StatusCreated || !strings.Contains(string(answer.Body), `"expiresAt":"2029-01-01T00:00:00.123456Z"`) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

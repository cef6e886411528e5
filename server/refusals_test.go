package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
)

// detail is the list of a 422.
type detail []struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input any            `json:"input"`
	Ctx   map[string]any `json:"ctx"`
}

func decodeDetail(t *testing.T, answer servertest.Answer) detail {
	t.Helper()
	var body struct{ Detail detail }
	if err := json.Unmarshal(answer.Body, &body); err != nil || answer.Status != http.StatusUnprocessableEntity {
		t.Fatalf("want a 422 with a list, got %d %s (%v)", answer.Status, answer.Body, err)
	}
	return body.Detail
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// TestRulesBeyondTheSchema goes through docs/contract.md#rules-beyond-the-schema:
// what the document's schemas cannot say, with the words of each refusal.
func TestRulesBeyondTheSchema(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkMaximum = 100 })
	m := s.Merchant()
	now := s.Store.Now()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	create := func(more string) string {
		return fmt.Sprintf(`{"initialValue":25,"merchantId":%q%s}`, m.ID, more)
	}
	fiveYears := now.AddDate(5, 0, 0)
	for _, c := range []struct {
		name, path, body string
		kind, msg        string
		loc              []any
		ctx              string
	}{
		{
			"expiry past", "", create(`,"expiresAt":"` + at(-time.Second) + `"`),
			"datetime_future", "Input should be in the future",
			[]any{"body", "expiresAt"}, ``,
		},
		{
			"expiry too far", "", create(`,"expiresAt":"` + fiveYears.Add(time.Hour).Format(time.RFC3339) + `"`),
			"value_error", "Value error, expiresAt must be at most 5 years ahead",
			[]any{"body", "expiresAt"}, `{"error":{}}`,
		},
		{
			"bulk expiry past", "/bulk", `{"initialValue":25,"count":1,"expiresAt":"` + at(-time.Hour) + `"}`,
			"datetime_future", "Input should be in the future",
			[]any{"body", "expiresAt"}, ``,
		},
		{
			"delivery after expiry", "", create(`,"expiresAt":"` + at(24*time.Hour) + `","deliverAt":"` + at(25*time.Hour) + `"`),
			"value_error", "Value error, deliverAt must not be after expiresAt",
			[]any{"body", "deliverAt"}, `{"error":{}}`,
		},
		{
			"delivery after the default expiry", "", create(`,"deliverAt":"` + at(366*24*time.Hour) + `"`),
			"value_error", "Value error, deliverAt must not be after expiresAt",
			[]any{"body", "deliverAt"}, `{"error":{}}`,
		},
		{
			"merchant is not the program's", "", `{"initialValue":25,"merchantId":"000000000000000000000000"}`,
			"value_error", "Value error, merchantId must be the program's merchant",
			[]any{"body", "merchantId"}, `{"error":{}}`,
		},
		{
			"count and recipients", "/bulk", `{"initialValue":25,"count":1,"recipients":[{}]}`,
			"value_error", "Value error, exactly one of count and recipients is required",
			[]any{"body"}, `{"error":{}}`,
		},
		{
			"neither count nor recipients", "/bulk", `{"initialValue":25,"count":null}`,
			"value_error", "Value error, exactly one of count and recipients is required",
			[]any{"body"}, `{"error":{}}`,
		},
		{
			"no recipients", "/bulk", `{"initialValue":25,"recipients":[]}`,
			"too_short", "List should have at least 1 item after validation, not 0",
			[]any{"body", "recipients"}, `{"field_type":"List","min_length":1,"actual_length":0}`,
		},
		{
			"too many recipients", "/bulk", `{"initialValue":25,"recipients":[{}` + strings.Repeat(",{}", 100) + `]}`,
			"too_long", "List should have at most 100 items after validation, not 101",
			[]any{"body", "recipients"}, `{"field_type":"List","max_length":100,"actual_length":101}`,
		},
		{
			"count above the maximum", "/bulk", `{"initialValue":25,"count":101}`,
			"less_than_equal", "Input should be less than or equal to 100",
			[]any{"body", "count"}, `{"le":100}`,
		},
		{
			"count beyond all integers", "/bulk", `{"initialValue":25,"count":1` + strings.Repeat("0", 30) + `}`,
			"less_than_equal", "Input should be less than or equal to 100",
			[]any{"body", "count"}, `{"le":100}`,
		},
		{
			"text amount below the bound", "", `{"initialValue":"-5","merchantId":"` + m.ID + `"}`,
			"greater_than_equal", "Input should be greater than or equal to 0.01",
			[]any{"body", "initialValue"}, `{"ge":0.01}`,
		},
		{
			"text amount above the bound", "", `{"initialValue":"10000.001","merchantId":"` + m.ID + `"}`,
			"less_than_equal", "Input should be less than or equal to 10000.00",
			[]any{"body", "initialValue"}, `{"le":10000}`,
		},
		{
			"duplicate key", "", `{"initialValue":25,"initialValue":26,"merchantId":"` + m.ID + `"}`,
			"json_invalid", "JSON decode error",
			nil, `{"error":"Duplicate key"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			errors := decodeDetail(t, m.Do(http.MethodPost, m.Cards()+c.path, jsonHeader, []byte(c.body)))
			if len(errors) != 1 {
				t.Fatalf("%d errors: %v", len(errors), errors)
			}
			got := errors[0]
			if got.Type != c.kind || got.Msg != c.msg || c.loc != nil && fmt.Sprint(got.Loc) != fmt.Sprint(c.loc) {
				t.Errorf("got %s %q at %v, want %s %q at %v", got.Type, got.Msg, got.Loc, c.kind, c.msg, c.loc)
			}
			var ctx map[string]any
			if c.ctx != "" {
				if err := json.Unmarshal([]byte(c.ctx), &ctx); err != nil {
					t.Fatal(err)
				}
			}
			if fmt.Sprint(got.Ctx) != fmt.Sprint(ctx) {
				t.Errorf("ctx %v, want %v", got.Ctx, ctx)
			}
		})
	}
}

// TestExpiryBoundsAreInclusive: what lies just within is accepted.
func TestExpiryBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	now := s.Store.Now()
	for _, expiresAt := range []time.Time{now.Add(time.Minute), now.AddDate(5, 0, 0)} {
		body := fmt.Sprintf(`{"initialValue":"0.01","merchantId":%q,"expiresAt":%q}`, m.ID, expiresAt.Format(time.RFC3339Nano))
		if answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(body)); answer.Status != http.StatusCreated {
			t.Errorf("expiry %s: %d %s", expiresAt, answer.Status, answer.Body)
		}
	}
}

// TestAnIdempotencyKeyIsTakenBareOrQuotedAndRefusedIfUnfit: 1 to 255 printable
// ASCII; empty counts as none.
func TestAnIdempotencyKeyIsTakenBareOrQuotedAndRefusedIfUnfit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	send := func(key string) servertest.Answer {
		header := jsonHeader.Clone()
		header["Idempotency-Key"] = []string{key}
		return m.Do(http.MethodPost, m.Cards(), header, []byte(`{"initialValue":25,"merchantId":"`+m.ID+`"}`))
	}
	bare, quoted := send("k1"), send(`"k1"`)
	if bare.Status != http.StatusCreated || !bytes.Equal(bare.Body, quoted.Body) || quoted.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a quoted key is not the bare one: %d %s, %d %s", bare.Status, bare.Body, quoted.Status, quoted.Body)
	}
	for _, key := range []string{"", `""`} {
		first, second := send(key), send(key)
		if first.Status != http.StatusCreated || second.Status != http.StatusCreated || bytes.Equal(first.Body, second.Body) {
			t.Errorf("key %q counted as one: %s, %s", key, first.Body, second.Body)
		}
	}
	if answer := send(strings.Repeat("k", 255)); answer.Status != http.StatusCreated {
		t.Errorf("a key of 255: %d %s", answer.Status, answer.Body)
	}
	for key, want := range map[string]string{strings.Repeat("k", 256): "string_too_long", "caf\u00e9": "string_pattern_mismatch", "a\tb": "string_pattern_mismatch"} {
		errors := decodeDetail(t, send(key))
		if len(errors) != 1 || errors[0].Type != want || fmt.Sprint(errors[0].Loc) != "[header idempotency-key]" {
			t.Errorf("key %.10q…: %v, want %s", key, errors, want)
		}
	}
}

// TestRefusalsOutsideTheBody: of credentials, paths, methods and what is not found,
// where docs/contract.md#rules-beyond-the-schema tells of the fields.
func TestRefusalsOutsideTheBody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	valid := `{"initialValue":25,"count":1}`
	for _, c := range []struct {
		name, method, path, authorization string
		body                              string
		status                            int
		detail                            string
	}{
		{"no credentials", "POST", m.Cards() + "/bulk", "-", valid, 401, "Not authenticated"},
		{"another scheme", "POST", m.Cards() + "/bulk", "Basic abc", valid, 401, "Not authenticated"},
		{"bad token", "POST", m.Cards() + "/bulk", "Bearer abc", valid, 401, "Could not validate credentials"},
		{"bad token before a bad body", "POST", m.Cards() + "/bulk", "Bearer abc", "{", 401, "Could not validate credentials"},
		{"no credentials before a bad path", "GET", "/v2/giftcards/programs/zzz/cards/bulk/x", "-", "", 401, "Not authenticated"},
		{"another merchant's program", "POST", stranger.Cards() + "/bulk", "", valid, 403, "Program belongs to another merchant"},
		{"unknown program", "POST", "/v2/giftcards/programs/000000000000000000000000/cards/bulk", "", valid, 404, "Program not found"},
		{"unknown program on create", "POST", "/v2/giftcards/programs/000000000000000000000000/cards", "", `{"initialValue":1,"merchantId":"` + m.ID + `"}`, 404, "Program not found"},
		{"unknown task", "GET", m.Cards() + "/bulk/00000000-0000-4000-8000-000000000000", "", "", 404, "Task not found"},
		{"no task id at all", "GET", m.Cards() + "/bulk/x%2Fy", "", "", 404, "Task not found"},
		{"a task id with a bad escape", "GET", m.Cards() + "/bulk/%25zz", "", "", 404, "Task not found"},
		{"a task id of all sorts", "GET", m.Cards() + "/bulk/%F0%9F%98%80%00%3B", "", "", 404, "Task not found"},
		{"unknown path", "GET", "/v2/nothing", "", "", 404, "Not Found"},
		{"wrong method", "DELETE", m.Cards(), "", "", 405, "Method Not Allowed"},
		{"OPTIONS", "OPTIONS", m.Cards(), "", "", 405, "Method Not Allowed"},
		{"bad link", "GET", "/v2/giftcards/downloads/abc", "-", "", 403, "Download link is invalid or has expired"},
		{"bad link with escapes", "GET", "/v2/giftcards/downloads/a%2Fb%25", "-", "", 403, "Download link is invalid or has expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			switch c.authorization {
			case "":
				r.Header.Set("Authorization", "Bearer "+m.Token)
			case "-":
			default:
				r.Header.Set("Authorization", c.authorization)
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

// TestOddButValidRequestsAreTaken: each of these once met a layer that was
// stricter than the contract.
func TestOddButValidRequestsAreTaken(t *testing.T) {
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

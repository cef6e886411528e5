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

// TestRulesBeyondTheSchema goes through docs/contract.md#rules-beyond-the-schema, the rules
// that the document's schemas cannot say, with the words of each refusal.
func TestRulesBeyondTheSchema(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkMaximum = 100 })
	m := s.Merchant()
	now := s.Store.Clock()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	create := func(more string) string {
		return fmt.Sprintf(`{"initialValue":25,"merchantId":%q%s}`, m.ID, more)
	}
	fiveYears := now.AddDate(5, 0, 0)
	for _, c := range []struct {
		name string
		path string // after the path of the cards
		body string
		kind string // the error's type
		msg  string
		loc  []any  // nil for any place
		ctx  string // as JSON, "" for none
	}{
		{
			name: "expiry past",
			body: create(`,"expiresAt":"` + at(-time.Second) + `"`),
			kind: "datetime_future",
			msg:  "Input should be in the future",
			loc:  []any{"body", "expiresAt"},
		},
		{
			name: "expiry too far",
			body: create(`,"expiresAt":"` + fiveYears.Add(time.Hour).Format(time.RFC3339) + `"`),
			kind: "value_error",
			msg:  "Value error, expiresAt must be at most 5 years ahead",
			loc:  []any{"body", "expiresAt"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "bulk expiry past",
			path: "/bulk",
			body: `{"initialValue":25,"count":1,"expiresAt":"` + at(-time.Hour) + `"}`,
			kind: "datetime_future",
			msg:  "Input should be in the future",
			loc:  []any{"body", "expiresAt"},
		},
		{
			name: "delivery after expiry",
			body: create(`,"expiresAt":"` + at(24*time.Hour) + `","deliverAt":"` + at(25*time.Hour) + `"`),
			kind: "value_error",
			msg:  "Value error, deliverAt must not be after expiresAt",
			loc:  []any{"body", "deliverAt"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "delivery after the default expiry",
			body: create(`,"deliverAt":"` + at(366*24*time.Hour) + `"`),
			kind: "value_error",
			msg:  "Value error, deliverAt must not be after expiresAt",
			loc:  []any{"body", "deliverAt"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "merchant is not the program's",
			body: `{"initialValue":25,"merchantId":"000000000000000000000000"}`,
			kind: "value_error",
			msg:  "Value error, merchantId must be the program's merchant",
			loc:  []any{"body", "merchantId"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "count and recipients",
			path: "/bulk",
			body: `{"initialValue":25,"count":1,"recipients":[{}]}`,
			kind: "value_error",
			msg:  "Value error, exactly one of count and recipients is required",
			loc:  []any{"body"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "neither count nor recipients",
			path: "/bulk",
			body: `{"initialValue":25,"count":null}`,
			kind: "value_error",
			msg:  "Value error, exactly one of count and recipients is required",
			loc:  []any{"body"},
			ctx:  `{"error":{}}`,
		},
		{
			name: "no recipients",
			path: "/bulk",
			body: `{"initialValue":25,"recipients":[]}`,
			kind: "too_short",
			msg:  "List should have at least 1 item after validation, not 0",
			loc:  []any{"body", "recipients"},
			ctx:  `{"field_type":"List","min_length":1,"actual_length":0}`,
		},
		{
			name: "too many recipients",
			path: "/bulk",
			body: `{"initialValue":25,"recipients":[{}` + strings.Repeat(",{}", 100) + `]}`,
			kind: "too_long",
			msg:  "List should have at most 100 items after validation, not 101",
			loc:  []any{"body", "recipients"},
			ctx:  `{"field_type":"List","max_length":100,"actual_length":101}`,
		},
		{
			name: "count above the maximum",
			path: "/bulk",
			body: `{"initialValue":25,"count":101}`,
			kind: "less_than_equal",
			msg:  "Input should be less than or equal to 100",
			loc:  []any{"body", "count"},
			ctx:  `{"le":100}`,
		},
		{
			name: "count beyond all integers",
			path: "/bulk",
			body: `{"initialValue":25,"count":1` + strings.Repeat("0", 30) + `}`,
			kind: "less_than_equal",
			msg:  "Input should be less than or equal to 100",
			loc:  []any{"body", "count"},
			ctx:  `{"le":100}`,
		},
		{
			name: "text amount below the bound",
			body: `{"initialValue":"-5","merchantId":"` + m.ID + `"}`,
			kind: "greater_than_equal",
			msg:  "Input should be greater than or equal to 0.01",
			loc:  []any{"body", "initialValue"},
			ctx:  `{"ge":0.01}`,
		},
		{
			name: "text amount above the bound",
			body: `{"initialValue":"10000.001","merchantId":"` + m.ID + `"}`,
			kind: "less_than_equal",
			msg:  "Input should be less than or equal to 10000.00",
			loc:  []any{"body", "initialValue"},
			ctx:  `{"le":10000}`,
		},
		{
			name: "duplicate key",
			body: `{"initialValue":25,"initialValue":26,"merchantId":"` + m.ID + `"}`,
			kind: "json_invalid",
			msg:  "JSON decode error",
			ctx:  `{"error":"Duplicate key"}`,
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

// TestExpiryBoundsAreInclusive: the server accepts an expiry just within the bounds.
func TestExpiryBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	now := s.Store.Clock()
	for _, expiresAt := range []time.Time{now.Add(time.Minute), now.AddDate(5, 0, 0)} {
		body := fmt.Sprintf(`{"initialValue":"0.01","merchantId":%q,"expiresAt":%q}`, m.ID, expiresAt.Format(time.RFC3339Nano))
		if answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(body)); answer.Status != http.StatusCreated {
			t.Errorf("expiry %s: %d %s", expiresAt, answer.Status, answer.Body)
		}
	}
}

// TestAnIdempotencyKeyIsTakenBareOrQuotedAndRefusedIfUnfit: a key has 1 to 255 printable
// ASCII characters. An empty one counts as none.
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

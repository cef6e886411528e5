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

// fault is a fault of a request, as a 422 lists it.
type fault struct {
	Type string         `json:"type"`
	Loc  []any          `json:"loc"`
	Msg  string         `json:"msg"`
	Ctx  map[string]any `json:"ctx"`
}

func decodeDetail(t *testing.T, answer servertest.Answer) []fault {
	t.Helper()
	var body struct{ Detail []fault }
	if err := json.Unmarshal(answer.Body, &body); err != nil || answer.Status != http.StatusUnprocessableEntity {
		t.Fatalf("want a 422 with a list, got %d %s (%v)", answer.Status, answer.Body, err)
	}
	return body.Detail
}

// of returns the place of a fault: the body, or a field of it.
func of(field ...any) []any { return append([]any{"body"}, field...) }

// valueError returns the fault that a rule of the server finds, in Pydantic's form.
func valueError(sentence string, field ...any) fault {
	return fault{Type: "value_error", Loc: of(field...), Msg: "Value error, " + sentence, Ctx: map[string]any{"error": map[string]any{}}}
}

// notInFuture returns Pydantic's fault of a time in the past.
func notInFuture(field string) fault {
	return fault{Type: "datetime_future", Loc: of(field), Msg: "Input should be in the future"}
}

// beyond returns Pydantic's fault of a number beyond a bound. bound is ge or le.
func beyond(bound, kind, words string, field string, value float64) fault {
	return fault{Type: kind, Loc: of(field), Msg: "Input should be " + words, Ctx: map[string]any{bound: value}}
}

// TestEachRuleBeyondTheSchemaRefusesInItsWords: docs/contract.md#rules-beyond-the-schema lists these
// rules, which the document's schemas cannot express.
func TestEachRuleBeyondTheSchemaRefusesInItsWords(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkMaximum = 100 })
	m := s.Merchant()
	now := s.Store.Clock()
	after := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	const day = 24 * time.Hour
	const oneOfTwo, notLater = "exactly one of count and recipients is required", "deliverAt must not be after expiresAt"
	tooMany := beyond("le", "less_than_equal", "less than or equal to 100", "count", 100)
	for name, c := range map[string]struct {
		create string // fields of a create, beside a value and the merchant
		body   string // of a create, if create is ""
		bulk   string // fields of a bulk request, beside a value
		want   fault
	}{
		"expiry past":                         {create: `"expiresAt":"` + after(-time.Second) + `"`, want: notInFuture("expiresAt")},
		"bulk expiry past":                    {bulk: `"count":1,"expiresAt":"` + after(-time.Hour) + `"`, want: notInFuture("expiresAt")},
		"expiry too far":                      {create: `"expiresAt":"` + now.AddDate(5, 0, 0).Add(time.Hour).Format(time.RFC3339) + `"`, want: valueError("expiresAt must be at most 5 years ahead", "expiresAt")},
		"delivery after expiry":               {create: `"expiresAt":"` + after(day) + `","deliverAt":"` + after(day+time.Hour) + `"`, want: valueError(notLater, "deliverAt")},
		"delivery after the usual expiry":     {create: `"deliverAt":"` + after(366*day) + `"`, want: valueError(notLater, "deliverAt")},
		"another merchant than the program's": {body: `{"initialValue":25,"merchantId":"000000000000000000000000"}`, want: valueError("merchantId must be the program's merchant", "merchantId")},
		"count and recipients":                {bulk: `"count":1,"recipients":[{}]`, want: valueError(oneOfTwo)},
		"neither count nor recipients":        {bulk: `"count":null`, want: valueError(oneOfTwo)},
		"count above the maximum":             {bulk: `"count":101`, want: tooMany},
		"count beyond all integers":           {bulk: `"count":1` + strings.Repeat("0", 30), want: tooMany},
		"no recipients": {bulk: `"recipients":[]`, want: fault{
			Type: "too_short", Loc: of("recipients"), Msg: "List should have at least 1 item after validation, not 0",
			Ctx: map[string]any{"field_type": "List", "min_length": 1, "actual_length": 0},
		}},
		"too many recipients": {bulk: `"recipients":[{}` + strings.Repeat(",{}", 100) + `]`, want: fault{
			Type: "too_long", Loc: of("recipients"), Msg: "List should have at most 100 items after validation, not 101",
			Ctx: map[string]any{"field_type": "List", "max_length": 100, "actual_length": 101},
		}},
		"text amount below the bound": {
			body: `{"initialValue":"-5","merchantId":"` + m.ID + `"}`,
			want: beyond("ge", "greater_than_equal", "greater than or equal to 0.01", "initialValue", 0.01),
		},
		"text amount above the bound": {
			body: `{"initialValue":"10000.001","merchantId":"` + m.ID + `"}`,
			want: beyond("le", "less_than_equal", "less than or equal to 10000.00", "initialValue", 10000),
		},
		"duplicate key": { // at the byte where the parser found it
			body: `{"initialValue":25,"initialValue":26,"merchantId":"` + m.ID + `"}`,
			want: fault{Type: "json_invalid", Loc: of(19), Msg: "JSON decode error", Ctx: map[string]any{"error": "Duplicate key"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, body := m.Cards(), c.body
			switch {
			case c.create != "":
				body = `{"initialValue":25,"merchantId":"` + m.ID + `",` + c.create + `}`
			case c.bulk != "":
				path, body = path+"/bulk", `{"initialValue":25,`+c.bulk+`}`
			}
			got := decodeDetail(t, m.Do(http.MethodPost, path, jsonHeader, []byte(body)))
			if mustJSON(t, got) != mustJSON(t, []fault{c.want}) {
				t.Errorf("got %s\nwant %s", mustJSON(t, got), mustJSON(t, []fault{c.want}))
			}
		})
	}
}

// TestExpiryBoundsAreInclusive: the server accepts an expiry at each bound.
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

package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/store/storetest"
)

// TestAControlThatCannotBeFollowedIsRefused with a sentence that names its header, and nothing
// happens.
func TestAControlThatCannotBeFollowedIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	create := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	card := fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID)
	bulk := `{"initialValue": "25.00", "count": 1}`
	audited := storetest.Count(t, b.Store, "audit_log") // by the login
	for _, c := range []struct {
		method, path, body string
		headers            []string
		about              string
	}{
		{"POST", create, card, []string{"Sandbox-Now: tomorrow"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: "}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 2028-02-29"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 2028-02-29T23:59:59"}, "Sandbox-Now"}, // no zone
		{"POST", create, card, []string{"Sandbox-Now: 2027-02-29T23:59:59Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 1999-12-31T23:59:59Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 2100-01-01T00:00:00Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 9999-12-31T23:59:59Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: " + strings.Repeat("2", 10_000)}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Now: 2028-01-01T00:00:00Z", "Sandbox-Now: 2028-01-01T00:00:00Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Sandbox-Fault: earthquake"}, "Sandbox-Fault"},
		{"POST", create, card, []string{"Sandbox-Fault: "}, "Sandbox-Fault"},
		{"POST", create, card, []string{"Sandbox-Fault: down", "Sandbox-Fault: down"}, "Sandbox-Fault"},
		{"POST", create, card, []string{"Sandbox-Task: failed"}, "Sandbox-Task"},
		{"POST", create + "/bulk", bulk, []string{"Sandbox-Task: lazy"}, "Sandbox-Task"},
		{"POST", create + "/bulk", bulk, []string{"Sandbox-Task: "}, "Sandbox-Task"},
		{"POST", create + "/bulk", bulk, []string{"Sandbox-Task: failed", "Sandbox-Task: failed"}, "Sandbox-Task"},
		{"POST", create + "/bulk", bulk, []string{"Sandbox-Task: failed", "Prefer: code=201"}, "Sandbox-Task"},
		{"POST", create, card, []string{"Prefer: code=404", "Sandbox-Now: 2028-01-01T00:00:00Z"}, "Sandbox-Now"},
		{"POST", create, card, []string{"Prefer: code=200"}, "Prefer"},
		{"POST", create, card, []string{"Prefer: code=tea"}, "Prefer"},
		{"GET", "/v2/token", "", []string{"Sandbox-Now: 2028-01-01T00:00:00Z"}, "Sandbox-Now"},
		{"GET", "/readyz", "", []string{"Sandbox-Now: 2028-01-01T00:00:00Z"}, "Sandbox-Now"},
		{"GET", "/v2/giftcards/downloads/x", "", []string{"Sandbox-Now: 2028-01-01T00:00:00Z"}, "Sandbox-Now"},
	} {
		got := b.send(c.method, c.path, m.Token, c.body, c.headers...)
		if got.status != http.StatusBadRequest || !strings.HasPrefix(got.detail(), c.about) || got.header.Get("X-Request-Id") == "" || got.header.Get("Preference-Applied") != "" {
			t.Errorf("%s %s %.100q: %d %.300s, want a 400 about %s", c.method, c.path, c.headers, got.status, got.body, c.about)
		}
	}
	if cards, tasks, now := storetest.Count(t, b.Store, "gift_cards"), storetest.Count(t, b.Store, "bulk_tasks"), storetest.Count(t, b.Store, "audit_log"); cards+tasks > 0 || now != audited {
		t.Errorf("%d cards, %d tasks and %d new entries in the audit log", cards, tasks, now-audited)
	}
}

// TestALargeBodyWithABadControlGetsItsAnswer, although nobody reads the body.
func TestALargeBodyWithABadControlGetsItsAnswer(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	body := `{"initialValue": "5", "recipients": [` + strings.Repeat(`{"customerName": "Ada"},`, 100_000) + `{}]}`
	for header, want := range map[string]int{"Prefer: code=503": 503, "Prefer: code=418": 400} {
		if got := b.send(http.MethodPost, filled(bulkPath), "", body, header); got.status != want {
			t.Errorf("%s: %d %s", header, got.status, got.body)
		}
	}
}

// TestTheDocumentDeclaresAControlExactlyWhereItIsAccepted: Sandbox-Now and Sandbox-Task.
func TestTheDocumentDeclaresAControlExactlyWhereItIsAccepted(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	var complete, sandbox struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Ref string `json:"$ref"`
			}
			Responses map[string]struct{ Headers map[string]any }
		}
	}
	must(t, json.Unmarshal(openapi.Complete, &complete))
	must(t, json.Unmarshal(openapi.Sandbox, &sandbox))
	for path, item := range complete.Paths {
		for method := range item {
			described := sandbox.Paths[path][method]
			for header, value := range map[string]string{"Prefer": "code=500", "Sandbox-Fault": "slow=1ms", "Sandbox-Now": "2030-01-01T00:00:00Z", "Sandbox-Task": "failed"} {
				declared := slices.ContainsFunc(described.Parameters, func(p struct {
					Ref string `json:"$ref"`
				}) bool {
					return p.Ref == "#/components/parameters/"+header
				})
				got := b.send(strings.ToUpper(method), filled(path), m.Token, "", header+": "+value)
				refused := strings.Contains(got.detail(), "has no meaning") || strings.Contains(got.detail(), "is only for")
				if refused == declared {
					t.Errorf("%s %s: %s is declared: %t, but %d %.200s", method, path, header, declared, got.status, got.body)
				}
			}
			for status := range complete.Paths[path][method].Responses {
				if response := described.Responses[status]; response.Headers["Preference-Applied"] == nil {
					t.Errorf("%s %s %s: Preference-Applied is not declared", method, path, status)
				}
			}
		}
	}
}

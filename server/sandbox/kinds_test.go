package sandbox_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"giftcards/server/servertest"
	"giftcards/store/storetest/check"
)

// kindOfAnswer is a request. The server writes the answer to each kind by different code.
type kindOfAnswer struct {
	name, method, path, body string
	header                   http.Header
	status                   int
}

// kindsOfAnswers returns requests for short and long JSON and for each kind of stream, and makes
// the cards and tasks that they need.
func kindsOfAnswers(t *testing.T, b *box, m *servertest.Merchant) []kindOfAnswer {
	t.Helper()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	accepted := b.send(http.MethodPost, cards+"/bulk", m.Token, `{"initialValue": 5, "count": 1200}`)
	if accepted.status != http.StatusAccepted {
		t.Fatalf("bulk: %d %s", accepted.status, accepted.body)
	}
	poll := cards + "/bulk/" + accepted.field(t, "taskId")
	var task answer
	check.Until(t, "the end of the task", func() bool {
		task = b.send(http.MethodGet, poll, m.Token, "")
		return task.field(t, "status") == "completed"
	})
	csv := strings.TrimPrefix(task.field(t, "csvDownloadUrl"), b.URL)
	bearer := http.Header{"Authorization": {"Bearer " + m.Token}, "Content-Type": {"application/json"}}
	long := fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q, "customMessage": {"x": %q}}`, m.ID, strings.Repeat("y", 5000))
	return []kindOfAnswer{
		{"a created card", http.MethodPost, cards, fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID), bearer, 201},
		{"a long refusal", http.MethodPost, cards, long, bearer, 422},
		{"a chosen answer", http.MethodPost, cards, "", http.Header{"Prefer": {"code=429"}}, 429},
		{"a refusal without a token", http.MethodGet, "/v2/token", "", nil, 401},
		{"the poll of a task of many cards", http.MethodGet, poll, "", bearer, 200},
		{"a CSV", http.MethodGet, csv, "", nil, 200},
		{"a workbook", http.MethodGet, csv + "?format=xlsx", "", nil, 200},
		{"a page", http.MethodGet, csv, "", http.Header{"Accept": {"text/html"}}, 200},
		{"the head of a CSV", http.MethodHead, csv, "", nil, 200},
	}
}

// protocol is a way to reach the sandbox. Each request has its own connection, because Go's
// client sends a request with an idempotency key again if a used connection breaks.
type protocol struct {
	name   string
	url    string
	client *http.Client
}

// protocols serves the sandbox over HTTP/1.1, and over HTTP/2 with TLS.
func protocols(t *testing.T, b *box) []protocol {
	t.Helper()
	plain := &http.Transport{DisableKeepAlives: true}
	encrypted := httptest.NewUnstartedServer(b.handler)
	encrypted.EnableHTTP2 = true
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	return []protocol{
		{"HTTP/1.1", b.URL, &http.Client{Transport: plain, Timeout: time.Minute}},
		{"HTTP/2", encrypted.URL, encrypted.Client()},
	}
}

// ask sends a request and reads as much of the answer as comes. The error is that of the
// request or of the body.
func (p protocol) ask(t *testing.T, k kindOfAnswer, fault string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), k.method, p.url+k.path, strings.NewReader(k.body))
	must(t, err)
	maps.Copy(r.Header, k.header)
	if fault != "" {
		r.Header.Set("Sandbox-Fault", fault)
	}
	response, err := p.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	if want := map[string]int{"HTTP/1.1": 1, "HTTP/2": 2}[p.name]; response.ProtoMajor != want {
		t.Fatalf("the answer came over %s", response.Proto)
	}
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

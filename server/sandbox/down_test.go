package sandbox_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"giftcards/server"
	"giftcards/store"
	"giftcards/store/storetest"
)

// TestDownIsAnsweredAsIfTheDatabaseWereAway: each answer is byte for byte that of a server without
// its database, and nothing changes.
func TestDownIsAnsweredAsIfTheDatabaseWereAway(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	m := b.Merchant()
	kinds := kindsOfAnswers(t, b, m)
	bearer := kinds[0].header
	kinds = slices.DeleteFunc(kinds, func(k kindOfAnswer) bool { return k.header.Get("Prefer") != "" }) // down is an answer itself
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	path, _ := card(b, m, "")
	kinds = append(
		kinds,
		kindOfAnswer{name: "a bulk request", method: http.MethodPost, path: cards + "/bulk", body: `{"initialValue": 5, "count": 3}`, header: bearer},
		kindOfAnswer{name: "a card", method: http.MethodGet, path: path, header: bearer},
		kindOfAnswer{name: "an activation", method: http.MethodPost, path: path + "/activate", body: "{}", header: bearer},
		kindOfAnswer{name: "a list", method: http.MethodGet, path: "/v2/giftcards/programs/cards", header: bearer},
		kindOfAnswer{name: "a balance check", method: http.MethodPost, path: "/v2/giftcards/customer/balance-check", body: `{"cardNumber": "9000000000000000", "securityCode": "123456"}`, header: http.Header{"Content-Type": {"application/json"}}},
		kindOfAnswer{name: "a login", method: http.MethodPost, path: "/v2/token", body: "username=a@example.com&password=b", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		kindOfAnswer{name: "a user", method: http.MethodGet, path: "/v2/token", header: bearer},
		kindOfAnswer{name: "alive", method: http.MethodGet, path: "/healthz"},
		kindOfAnswer{name: "ready", method: http.MethodGet, path: "/readyz"},
	)
	away := b.options
	var err error
	away.Store, err = store.Open(t.Context(), "postgres://nobody@127.0.0.1:1/nothing", store.Options{Keys: b.Keys, Now: b.Clock.Now})
	must(t, err)
	t.Cleanup(away.Store.Close)
	away.Meter = nil
	away.Ready = away.Store.CheckWritable
	without, err := server.New(away)
	must(t, err)
	before := storetest.Count(t, b.Store, "gift_cards") + storetest.Count(t, b.Store, "bulk_tasks") + storetest.Count(t, b.Store, "audit_log")
	for _, k := range kinds {
		ask := func(handler http.Handler, fault string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), k.method, k.path, strings.NewReader(k.body))
			maps.Copy(r.Header, k.header)
			if fault != "" {
				r.Header.Set("Sandbox-Fault", fault)
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			for _, name := range []string{"X-Request-Id", "Ratelimit"} {
				answer.Header().Del(name)
			}
			return answer
		}
		got, want := ask(b.handler, "down"), ask(without, "")
		if k.path == "/readyz" { // the sentence is that of the program, and not of the server
			got.Body, want.Body = nil, nil
			got.Header().Del("Content-Length")
			want.Header().Del("Content-Length")
		}
		if got.Code != want.Code || fmt.Sprint(got.Body) != fmt.Sprint(want.Body) || !maps.EqualFunc(got.Header(), want.Header(), slices.Equal) {
			t.Errorf("%s: down is answered\n%d %v %s\nand a server without its database answers\n%d %v %s", k.name,
				got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
		}
		if isAnswered := k.path == "/healthz" || k.status == 401; !isAnswered && got.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want 503", k.name, got.Code, got.Body)
		}
	}
	if after := storetest.Count(t, b.Store, "gift_cards") + storetest.Count(t, b.Store, "bulk_tasks") + storetest.Count(t, b.Store, "audit_log"); after != before {
		t.Errorf("%d rows more than before", after-before)
	}
}

// TestTheFaultDownHitsNoOtherRequest, although concurrent requests share transactions.
func TestTheFaultDownHitsNoOtherRequest(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	const each = 40
	type got struct {
		fault  string
		status int
	}
	answers := make(chan got)
	for i := range 2 * each {
		go func() {
			var headers []string
			fault := ""
			if i%2 == 0 {
				fault, headers = "down", []string{"Sandbox-Fault: down"}
			}
			answers <- got{fault, b.send(http.MethodPost, cards, m.Token, fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID), headers...).status}
		}()
	}
	for range 2 * each {
		a := <-answers
		if want := map[string]int{"down": 503, "": 201}[a.fault]; a.status != want {
			t.Errorf("with the fault %q the answer is %d, want %d", a.fault, a.status, want)
		}
	}
	if n := storetest.Count(t, b.Store, "gift_cards"); n != each {
		t.Errorf("%d cards, want %d", n, each)
	}
}

package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// kindOfAnswer is a request whose answer is written in a way of its own.
type kindOfAnswer struct {
	name, method, path, body string
	header                   http.Header
	status                   int
}

// kindsOfAnswers makes what the requests need: short and long JSON, and each kind of stream.
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
		{"a refusal without a token", http.MethodGet, "/v2/token", "", nil, 401},
		{"the poll of a task of many cards", http.MethodGet, poll, "", bearer, 200},
		{"a CSV", http.MethodGet, csv, "", nil, 200},
		{"a workbook", http.MethodGet, csv + "?format=xlsx", "", nil, 200},
		{"a page", http.MethodGet, csv, "", http.Header{"Accept": {"text/html"}}, 200},
		{"the head of a CSV", http.MethodHead, csv, "", nil, 200},
	}
}

// protocol is how a client reaches the sandbox. Each request has a connection of its own,
// because Go's client sends a request with an idempotency key again if its connection, used
// before, breaks.
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

// TestALostAnswerHasItsEffectAndTheRetryGetsTheAnswer: the client sees a broken connection, and
// under the same key the answer that it missed.
func TestALostAnswerHasItsEffectAndTheRetryGetsTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, p := range protocols(t, b) {
		m := b.Merchant()
		create := kindOfAnswer{"create", http.MethodPost, "/v2/giftcards/programs/" + m.ProgramID + "/cards", fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID),
			http.Header{"Authorization": {"Bearer " + m.Token}, "Content-Type": {"application/json"}, "Idempotency-Key": {"the same"}}, 201}
		if response, body, err := p.ask(t, create, "lost-answer"); err == nil {
			t.Fatalf("%s: the answer came: %d %s", p.name, response.StatusCode, body)
		}
		if n := storetest.Count(t, b.Store, "gift_cards where program_id = decode('"+m.ProgramID+"', 'hex')"); n != 1 {
			t.Fatalf("%s: %d cards after the lost answer, want 1", p.name, n)
		}
		response, body, err := p.ask(t, create, "")
		must(t, err)
		if response.StatusCode != http.StatusCreated || response.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: the retry got %d, replayed %q, %s", p.name, response.StatusCode, response.Header.Get("Idempotent-Replayed"), body)
		}
		if n := storetest.Count(t, b.Store, "gift_cards where program_id = decode('"+m.ProgramID+"', 'hex')"); n != 1 {
			t.Errorf("%s: %d cards after the retry, want 1", p.name, n)
		}
	}
}

// TestNothingOfALostAnswerArrives, not even a status line, whatever kind of answer it is.
func TestNothingOfALostAnswerArrives(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	for _, k := range kindsOfAnswers(t, b, b.Merchant()) {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.URL, "http://"))
		must(t, err)
		must(t, connection.SetDeadline(time.Now().Add(time.Minute)))
		r, err := http.NewRequestWithContext(t.Context(), k.method, b.URL+k.path, strings.NewReader(k.body))
		must(t, err)
		maps.Copy(r.Header, k.header)
		r.Header.Set("Sandbox-Fault", "lost-answer")
		r.Close = true // an answer, if there were one, would end the connection
		must(t, r.Write(connection))
		got, err := io.ReadAll(connection)
		if err != nil || len(got) > 0 {
			t.Errorf("%s: the connection ended with %v after %q", k.name, err, got)
		}
		must(t, connection.Close())
	}
}

// TestACutAnswerHasItsHeadersAndSoManyBytes, and then the connection closes.
func TestACutAnswerHasItsHeadersAndSoManyBytes(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	kinds := kindsOfAnswers(t, b, b.Merchant())
	for _, p := range protocols(t, b) {
		for _, k := range kinds {
			if k.method == http.MethodHead {
				continue // TestABadControlOfAFaultIsRefused
			}
			usual, whole, err := p.ask(t, k, "")
			if err != nil || usual.StatusCode != k.status {
				t.Fatalf("%s, %s: without a fault %v, %v", p.name, k.name, usual, err)
			}
			for _, n := range []int{0, 10, 1024, 40_000} {
				response, body, err := p.ask(t, k, fmt.Sprintf("cut=%d", n))
				if response == nil {
					t.Errorf("%s, %s, cut=%d: no answer: %v", p.name, k.name, n, err)
					continue
				}
				if got, want := headersOf(response), headersOf(usual); response.StatusCode != k.status || !maps.EqualFunc(got, want, slices.Equal) {
					t.Errorf("%s, %s, cut=%d: %d with\n%v, want\n%v", p.name, k.name, n, response.StatusCode, got, want)
				}
				if length := response.ContentLength; length >= 0 && (length < int64(len(whole))-100 || length > int64(len(whole))+100) {
					t.Errorf("%s, %s, cut=%d: the length is %d, want that of the whole answer, %d", p.name, k.name, n, length, len(whole))
				}
				// Ids and the times in a workbook differ, but hardly the length.
				if isCut := n < len(whole)-100; isCut && (err == nil || len(body) != n) {
					t.Errorf("%s, %s, cut=%d of %d: %d bytes and %v", p.name, k.name, n, len(whole), len(body), err)
				} else if n > len(whole)+100 && err != nil {
					t.Errorf("%s, %s, cut=%d of %d: %v", p.name, k.name, n, len(whole), err)
				}
			}
		}
	}
}

// headersOf returns the headers of an answer that are the same each time.
func headersOf(response *http.Response) http.Header {
	header := response.Header.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "Ratelimit", "Link"} {
		header.Del(name)
	}
	// The length of a time differs by some digits.
	header.Set("Content-Length", map[bool]string{true: "in chunks", false: "given"}[response.ContentLength < 0])
	return header
}

// TestASlowAnswerComesLateAndItsEffectDoesNot: the card is there while the client waits, and a
// client that leaves ends the wait.
func TestASlowAnswerComesLateAndItsEffectDoesNot(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	for _, p := range protocols(t, b) {
		before := storetest.Count(t, b.Store, "gift_cards")
		client, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(client, http.MethodPost, p.url+"/v2/giftcards/programs/"+m.ProgramID+"/cards",
			strings.NewReader(fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID)))
		must(t, err)
		r.Header = http.Header{"Authorization": {"Bearer " + m.Token}, "Content-Type": {"application/json"}, "Sandbox-Fault": {"slow=60s"}}
		answered := make(chan error, 1)
		go func() {
			response, err := p.client.Do(r)
			if err == nil {
				_ = response.Body.Close()
			}
			answered <- err
		}()
		check.Until(t, "the effect of a slow request", func() bool { return storetest.Count(t, b.Store, "gift_cards") == before+1 })
		select {
		case err := <-answered:
			t.Fatalf("%s: the answer came at once: %v", p.name, err)
		default:
		}
		leave()
		if err := <-answered; err == nil {
			t.Errorf("%s: the client left and got an answer", p.name)
		}
		check.Until(t, "the end of the wait", func() bool { return b.requests("limit=1")[0].DurationMs != nil })
	}
}

// TestASlowAnswerIsTheSameAnswer, and never comes before its time.
func TestASlowAnswerIsTheSameAnswer(t *testing.T) {
	t.Parallel()
	const grace, delay = 2 * time.Second, 2500 * time.Millisecond
	b := newBox(t, func(o *server.Options) { o.LinkDownloads, o.ReadingGrace = 0, grace }) // a client that reads nothing is given up before the delay ends
	kinds := kindsOfAnswers(t, b, b.Merchant())
	var all sync.WaitGroup
	for _, p := range protocols(t, b) {
		for _, k := range kinds {
			all.Go(func() {
				usual, whole, err := p.ask(t, k, "")
				if err != nil {
					t.Errorf("%s, %s: %v", p.name, k.name, err)
					return
				}
				start := time.Now()
				response, body, err := p.ask(t, k, "slow="+delay.String())
				if err != nil {
					t.Errorf("%s, %s, slow: %v", p.name, k.name, err)
					return
				}
				if passed := time.Since(start); passed < delay {
					t.Errorf("%s, %s: the answer came after %s", p.name, k.name, passed)
				}
				if got, want := headersOf(response), headersOf(usual); response.StatusCode != k.status || !maps.EqualFunc(got, want, slices.Equal) {
					t.Errorf("%s, %s: %d with\n%v, want\n%v", p.name, k.name, response.StatusCode, got, want)
				}
				if difference := len(body) - len(whole); difference < -100 || difference > 100 {
					t.Errorf("%s, %s: %d bytes, want %d", p.name, k.name, len(body), len(whole))
				}
			})
		}
	}
	all.Wait()
}

// TestDownIsAnsweredAsIfTheDatabaseWereAway: byte for byte what a server answers whose database
// is away, and without effect.
func TestDownIsAnsweredAsIfTheDatabaseWereAway(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	m := b.Merchant()
	kinds := kindsOfAnswers(t, b, m)
	bearer := kinds[0].header
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

// TestRequestsBesideOneThatIsDownGoOn: requests share transactions, and must not share a fault.
func TestRequestsBesideOneThatIsDownGoOn(t *testing.T) {
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

// TestABadControlOfAFaultIsRefused in one sentence, without effect.
func TestABadControlOfAFaultIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	const values = "Sandbox-Fault must be lost-answer, down, slow=2s (1ms to 60s) or cut=1024 (0 to 1073741824 bytes of the body)"
	for _, c := range []struct {
		method, path string
		headers      []string
		want         string
	}{
		{"POST", cards, []string{"Sandbox-Fault: "}, values},
		{"POST", cards, []string{"Sandbox-Fault: lost"}, values},
		{"POST", cards, []string{"Sandbox-Fault: LOST-ANSWER"}, values},
		{"POST", cards, []string{"Sandbox-Fault: lost-answer=1"}, values},
		{"POST", cards, []string{"Sandbox-Fault: slow"}, values},
		{"POST", cards, []string{"Sandbox-Fault: slow=2"}, values},
		{"POST", cards, []string{"Sandbox-Fault: slow=0s"}, values},
		{"POST", cards, []string{"Sandbox-Fault: slow=-2s"}, values},
		{"POST", cards, []string{"Sandbox-Fault: slow=61s"}, values},
		{"POST", cards, []string{"Sandbox-Fault: cut"}, values},
		{"POST", cards, []string{"Sandbox-Fault: cut=-1"}, values},
		{"POST", cards, []string{"Sandbox-Fault: cut=1e3"}, values},
		{"POST", cards, []string{"Sandbox-Fault: cut=1073741825"}, values},
		{"POST", cards, []string{"Sandbox-Fault: cut=99999999999999999999"}, values},
		{"POST", cards, []string{"Sandbox-Fault: down, cut=3"}, values},
		{"POST", cards, []string{"Sandbox-Fault: " + strings.Repeat("x", 10_000)}, values},
		{"POST", cards, []string{"Sandbox-Fault: down", "Sandbox-Fault: down"}, "Sandbox-Fault must be sent once"},
		{"POST", cards, []string{"Sandbox-Fault: down", "Prefer: code=429"}, "Sandbox-Fault: down has no meaning with Prefer, because it is an answer itself"},
	} {
		got := b.send(c.method, c.path, m.Token, fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID), c.headers...)
		if got.status != http.StatusBadRequest || got.detail() != c.want {
			t.Errorf("%.100v: %d %s", c.headers, got.status, got.body)
		}
	}
	if n := storetest.Count(t, b.Store, "gift_cards"); n != 0 {
		t.Errorf("%d cards", n)
	}
	if head := b.send(http.MethodHead, "/healthz", "", "", "Sandbox-Fault: cut=3"); head.status != http.StatusBadRequest {
		t.Errorf("a cut of a HEAD: %d", head.status)
	}
}

// TestAFaultIsNoErrorOfTheServer: the log has a line for the request with the status that it
// would have had, and nothing else, and metrics count it as that.
func TestAFaultIsNoErrorOfTheServer(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	kinds := kindsOfAnswers(t, b, b.Merchant())
	p := protocols(t, b)[0]
	for _, fault := range []string{"lost-answer", "cut=10", "slow=1ms"} {
		for _, k := range kinds {
			if fault == "cut=10" && k.method == http.MethodHead {
				continue
			}
			seen, was := len(b.Log.String()), b.Metrics()
			_, _, _ = p.ask(t, k, fault)
			var lines string
			check.Until(t, "the line of "+fault+", "+k.name, func() bool {
				lines = b.Log.String()[seen:]
				return strings.Contains(lines, `"msg":"request"`)
			})
			if !strings.Contains(lines, fmt.Sprintf(`"status":%d`, k.status)) || strings.Contains(lines, "broken off") || strings.Contains(lines, "ERROR") || strings.Contains(lines, "WARN") {
				t.Errorf("%s, %s: the log says\n%s", fault, k.name, lines)
			}
			for series, value := range b.Metrics() {
				if strings.HasPrefix(series, "giftcards_request_duration_seconds_count") && value > was[series] && !strings.Contains(series, fmt.Sprintf(`status="%d"`, k.status)) {
					t.Errorf("%s, %s: %s is counted", fault, k.name, series)
				}
			}
		}
	}
}

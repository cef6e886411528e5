package sandbox_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// TestALostAnswerHasItsEffectAndTheRetryGetsTheAnswer: the client sees a broken connection. A
// retry under the same key gets the answer that was lost.
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
				continue // see TestABadControlOfAFaultIsRefused
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
				// The ids, and the times in a workbook, differ from answer to answer. The length hardly does.
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

// TestASlowAnswerComesLateAndItsEffectDoesNot: the card exists while the client waits. The wait
// ends when the client leaves.
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
	const grace, delay = 5 * time.Second, 5500 * time.Millisecond
	b := newBox(t, func(o *server.Options) { o.LinkDownloads, o.ReadingGrace = 0, grace }) // the server gives up a client that reads nothing before the delay ends
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

// TestAFaultIsNoErrorOfTheServer: the log has one line for the request, with the status that it
// would have had without the fault. The metrics count the same status.
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

package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
)

// separateSuccesses lets a server log one in sample successful requests, to a separate log.
func separateSuccesses(sample int, successes *storetest.Log) func(*server.Options) {
	return func(o *server.Options) {
		o.LogSample, o.Successes = sample, slog.New(slog.NewJSONHandler(successes, nil))
	}
}

// requestLines counts the lines of requests in a log by route and status.
func requestLines(t *testing.T, log *storetest.Log) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for text := range strings.Lines(log.String()) {
		var line struct {
			Msg, Route string
			Status     json.Number
		}
		must(t, json.Unmarshal([]byte(text), &line))
		if line.Msg == "request" {
			counts[line.Route+" "+line.Status.String()]++
		}
	}
	return counts
}

func TestEachSuccessfulRequestIsLoggedByDefault(t *testing.T) {
	t.Parallel()
	for _, sample := range []int{0, 1} {
		successes := &storetest.Log{}
		s := servertest.New(t, separateSuccesses(sample, successes))
		for range 20 {
			get(t, s, s.URL+"/healthz")
		}
		if n := requestLines(t, successes)["/healthz 200"]; n != 20 {
			t.Errorf("with a sample of %d, %d of 20 requests are logged", sample, n)
		}
	}
}

func TestASampleLogsAShareOfTheSuccessesAndEveryRefusal(t *testing.T) {
	t.Parallel()
	successes := &storetest.Log{}
	s := servertest.New(t, separateSuccesses(4, successes))
	const requests = 400
	for range requests {
		get(t, s, s.URL+"/healthz")
	}
	for range 20 {
		get(t, s, s.URL+"/v2/giftcards/downloads/nothing")
	}
	// 100 are expected, with a deviation of 9. A correct server stays within these bounds.
	if n := requestLines(t, successes)["/healthz 200"]; n < 20 || n > 180 {
		t.Errorf("%d of %d successes are logged, want about a quarter", n, requests)
	}
	refused := 0
	for line, n := range requestLines(t, s.Log) {
		if strings.HasSuffix(line, " 200") {
			t.Errorf("%d successes are in the log that keeps every line: %s", n, line)
		}
		if strings.HasPrefix(line, "/v2/giftcards/downloads/") {
			refused += n
		}
	}
	if refused != 20 {
		t.Errorf("%d of 20 refusals are logged: %v", refused, requestLines(t, s.Log))
	}
}

// TestABrokenOffAnswerIsNoSuccess, although its status was 200.
func TestABrokenOffAnswerIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, separateSuccesses(1_000_000, &storetest.Log{}))
	m := s.Merchant()
	useSmallBuffers(t, s)
	many := 3_000
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
	pollToEnd(t, m, task)
	connection, err := smallReadBuffer.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	_, sent := io.WriteString(connection, http.MethodGet+" "+m.Cards()+"/bulk/"+task+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+m.Token+"\r\n\r\n")
	_, received := io.ReadFull(connection, make([]byte, 1))
	must(t, errors.Join(sent, received, connection.Close()))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n := requestLines(t, s.Log)["/v2/giftcards/programs/:programId/cards/bulk/:taskId 200"]; n == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 seconds the broken answer has no line: %v", requestLines(t, s.Log))
		}
	}
}

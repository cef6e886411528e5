package server_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

// requests returns the name of the series that counts an operation's requests with a status.
func requests(operation string, status any) string {
	return fmt.Sprintf(`giftcards_request_duration_seconds_count{operation=%q,status="%v"}`, operation, status)
}

func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	body := fmt.Appendf(nil, `{"initialValue":"25.00","merchantId":%q}`, m.ID)
	m.Do(http.MethodPost, m.Cards(), jsonHeader, body)
	for range 3 { // one card, two replays
		header := withKey("once")
		header.Set("Content-Type", "application/json")
		m.Do(http.MethodPost, m.Cards(), header, body)
	}
	m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":"free","merchantId":"x"}`))
	m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":`))
	few, many := 3, 60
	bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &few})
	pollToEnd(t, m, bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId)
	get(t, s, s.URL+"/nowhere")

	got := s.Metrics()
	for series, want := range map[string]float64{
		requests("createGiftCard", 201):                                               4,
		requests("createGiftCard", 422):                                               2,
		requests("bulkIssueGiftCards", 201):                                           1,
		requests("bulkIssueGiftCards", 202):                                           1,
		requests("login_for_access_token", 200):                                       1,
		requests("other", 404):                                                        1,
		`giftcards_cards_issued_total{by="request"}`:                                  5,
		`giftcards_cards_issued_total{by="task"}`:                                     60,
		`giftcards_tasks_finished_total{status="completed"}`:                          1,
		`giftcards_tasks_finished_total{status="failed"}`:                             0,
		`giftcards_tasks_finished_total{status="stopped"}`:                            0,
		`giftcards_idempotent_replays_total`:                                          2,
		`giftcards_validation_errors_total{type="decimal_parsing"}`:                   1,
		`giftcards_validation_errors_total{type="json_invalid"}`:                      1,
		`giftcards_job_duration_seconds_count{kind="bulk_issue",outcome="completed"}`: 1,
		`giftcards_pool_connections_max`:                                              servertest.Connections,
		`giftcards_ready`:                                                             1,
	} {
		if value, ok := got[series]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", series, value, ok, want)
		}
	}
}

// TestARequestCannotMakeASeries: callers must not choose labels, because each series takes memory in
// the server and in Prometheus.
func TestARequestCannotMakeASeries(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	hostile := func(n int) {
		word := fmt.Sprintf("hostile%d", n)
		header := withKey(word)
		header.Set("X-Request-Id", word)
		header.Set("Traceparent", fmt.Sprintf("00-%032x-%016x-01", n+1, n+1))
		header.Set("User-Agent", word)
		header.Set("Content-Type", "application/json")
		for _, path := range []string{m.Cards(), m.Cards() + "/" + word, m.Cards() + "/bulk/" + word, "/" + word, "/docs/" + word, "/v2/giftcards/downloads/" + word} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, strings.ToUpper(word)} {
				m.Do(method, path, header, fmt.Appendf(nil, `{"initialValue":%q,"merchantId":%q,%q:1,"customerEmail":%q,"designTemplate":%d}`, word, word, word, word, n))
			}
		}
	}
	hostile(0)
	before := s.Metrics()
	hostile(1)
	after := s.Metrics()
	if a, b := slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)); !slices.Equal(a, b) {
		t.Errorf("series before\n%s\nand after\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	for series := range after {
		if strings.Contains(strings.ToLower(series), "hostile") || strings.Contains(series, m.ProgramID) || strings.Contains(series, m.ID) {
			t.Errorf("a label of the caller's: %s", series)
		}
	}
}

func TestLogLinesHaveTheTraceOfTheCaller(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	header := http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}}
	m.Do(http.MethodGet, m.Cards()+"/bulk/x", header, nil)
	if line := lineOf(s, "/v2/giftcards/programs/:programId/cards/bulk/:taskId"); !strings.Contains(line, `"trace_id":"`+trace+`"`) {
		t.Errorf("no trace in %s", line)
	}
	m.Do(http.MethodGet, "/healthz", http.Header{"Traceparent": {"00-" + trace + "-none-01"}}, nil)
	if line := lineOf(s, "/healthz"); line == "" || strings.Contains(line, "trace_id") {
		t.Errorf("a trace in %s", line)
	}
}

// lineOf returns the first line of the log about a route.
func lineOf(s *servertest.Server, route string) string {
	for line := range strings.Lines(s.Log.String()) {
		if strings.Contains(line, `"route":"`+route+`"`) {
			return line
		}
	}
	return ""
}

func TestRequestsAreSpansOfTheCallersTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	s := servertest.New(t, func(o *server.Options) { o.Tracer = tracer }, panicWhenAskedIfReady)
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
	s.Send(r)
	get(t, s, s.URL+"/nowhere/secret")
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want 2", len(ended))
	}
	known, unknown := ended[0], ended[1]
	if known.Name() != "readyz" || known.SpanContext().TraceID().String() != trace || known.Parent().SpanID().String() != parent || known.Status().Code != codes.Error {
		t.Errorf("span %q of %s below %s, %v", known.Name(), known.SpanContext().TraceID(), known.Parent().SpanID(), known.Status())
	}
	if unknown.Name() != "other" || unknown.Parent().IsValid() || unknown.Status().Code == codes.Error {
		t.Errorf("span %q below %s, %v", unknown.Name(), unknown.Parent().SpanID(), unknown.Status())
	}
	for _, attribute := range unknown.Attributes() {
		if strings.Contains(attribute.Value.String(), "secret") {
			t.Errorf("the path is in %s", attribute.Key)
		}
	}
	if !regexp.MustCompile(`"request".*"trace_id":"` + trace).MatchString(s.Log.String()) {
		t.Errorf("the log lacks the trace:\n%s", s.Log)
	}
}

func TestAnAnswerBrokenOffIsCountedAsSuch(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	useSmallBuffers(t, s)
	many := 3_000
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
	pollToEnd(t, m, task)
	connection, err := smallReadBuffer.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, sent := io.WriteString(connection, "GET "+m.Cards()+"/bulk/"+task+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+m.Token+"\r\n\r\n")
	_, received := io.ReadFull(connection, make([]byte, 1))
	if err := errors.Join(sent, received, connection.Close()); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if s.Metrics()[requests("pollBulkIssuance", "broken_off")] == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("no answer was broken off: %v", s.Metrics()[requests("pollBulkIssuance", "broken_off")])
}

// TestMetricsShowThatTheDatabaseIsAway. A scrape still has all values that do not come from the
// database.
func TestMetricsShowThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Store.Close()
	got := s.Metrics()
	ready, told := got["giftcards_ready"]
	_, tasks := got[`giftcards_tasks{status="pending"}`]
	_, cards := got[`giftcards_cards_issued_total{by="request"}`]
	if !told || ready != 0 || tasks || !cards {
		t.Errorf("ready is told: %v, %v; tasks: %v, cards: %v", told, ready, tasks, cards)
	}
}

// TestThePublicAddressHasNothingForOperators but only the document's operations.
func TestThePublicAddressHasNothingForOperators(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{"/metrics", "/river", "/river/", "/river/api/jobs", "/debug/pprof/", "/debug/pprof/profile", "/debug/vars"} {
		if answer := get(t, s, s.URL+path); answer.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.Status)
		}
	}
}

// Package servertest runs the whole server for a test: the real handler chain, real jobs and
// a database of its own. Its clients compare every answer with the complete document, and
// fail the test if the document does not declare the answer.
package servertest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport"
	"giftcards/server"
	"giftcards/server/telemetry"
	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// Server is a running server, and its parts that tests look into.
type Server struct {
	URL     string
	Handler *server.Server // the whole server without a connection; it does not judge answers
	Store   *store.Store   // the server's own. Its role may only serve; see storetest.AsOwner
	Jobs    *jobs.Jobs
	Keys    *keyring.Ring
	KeyFile string
	Clock   *storetest.Clock
	Log     *storetest.Log
	Outbox  string // directory of the messages to recipients
	// DatabaseURL is the URL of the database for its owner.
	DatabaseURL string
	counter     *statements
	metrics     *telemetry.Metrics
	t           testing.TB
}

// New starts a server that ends with the test. change may alter its options.
func New(t testing.TB, change ...func(*server.Options)) *Server {
	t.Helper()
	return NewOn(t, storetest.URL(t), filepath.Join(t.TempDir(), "keys.json"), change...)
}

// NewCounting starts a server whose requests share no transactions, so that
// Answer.Statements is exact.
func NewCounting(t testing.TB, change ...func(*server.Options)) *Server {
	t.Helper()
	return start(t, storetest.URL(t), filepath.Join(t.TempDir(), "keys.json"), false, change)
}

// Connections is the largest number of connections that a server of a test has to its database. It
// is small, because each takes PostgreSQL 16 ms to open, and hundreds of servers start.
const Connections = 4

// NewOn starts a server on a database and keys that other servers may use too.
func NewOn(t testing.TB, databaseURL, keyFile string, change ...func(*server.Options)) *Server {
	t.Helper()
	return start(t, databaseURL, keyFile, true, change)
}

func start(t testing.TB, databaseURL, keyFile string, share bool, change []func(*server.Options)) *Server {
	t.Helper()
	// The order is that of cmd/giftcards serve: keys, store, jobs, handler, listener, workers.
	// The clean-ups run in reverse, so that workers stop before the pool closes.
	keys, err := keyring.OpenOrCreate(keyFile)
	must(t, err)
	clock, log := &storetest.Clock{}, &storetest.Log{}
	metrics, err := telemetry.NewMetrics("test")
	must(t, err)
	counter := &statements{}
	st, err := store.Open(t.Context(), storetest.Serving(databaseURL), store.Options{
		Keys: keys, Now: clock.Now, MaxConns: Connections, Tracer: counter, Meter: metrics.Meter(), ShareTransactions: share,
	})
	must(t, err)
	t.Cleanup(st.Close)
	logger := slog.New(telemetry.Logs(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	templates, err := builtIn()
	must(t, err)
	outbox := filepath.Join(filepath.Dir(keyFile), "outbox")
	work, err := jobs.New(st, jobs.Options{Logger: logger, Lifetimes: storetest.Lifetimes, Meter: metrics.Meter(), Delivery: &jobs.Delivery{
		Templates: templates,
		Mail:      jobs.Route{Sender: transport.NewMailOutbox(outbox, "cards@example.com"), PerSecond: 1000},
		SMS:       jobs.Route{Sender: transport.NewSMSOutbox(outbox), PerSecond: 1000},
	}})
	must(t, err)
	options := server.Options{
		Store: st, Jobs: work, Keys: keys, Logger: logger,
		BulkThreshold: 50, BulkMaximum: 100_000, BulkBodyLimit: 64 << 20,
		TokenLifetime: time.Hour, LinkLifetime: time.Hour,
		Ready: st.CheckWritable, Meter: metrics.Meter(),
	}
	listener := httptest.NewUnstartedServer(nil)
	// The address must be known before the handler is made, because links in answers have it.
	options.BaseURL = "http://" + listener.Listener.Addr().String()
	for _, f := range change {
		f(&options)
	}
	handler, err := server.New(options)
	must(t, err)
	listener.Config = &http.Server{Handler: counter.count(handler), ReadHeaderTimeout: time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 20 * time.Second, MaxHeaderBytes: server.MaxHeaderBytes}
	listener.Listener = server.LimitConnections(listener.Listener, 4096, options.TrustedProxies)
	listener.Start()
	t.Cleanup(listener.Close)
	must(t, work.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := work.Stop(ctx); err != nil {
			t.Errorf("stop jobs: %v", err)
		}
	})
	return &Server{
		URL: listener.URL, Handler: handler, Store: st, Jobs: work, Keys: keys, KeyFile: keyFile, Clock: clock, Log: log, Outbox: outbox,
		DatabaseURL: databaseURL, counter: counter, metrics: metrics, t: t,
	}
}

// builtIn parses the templates of messages once for all servers, because that is slow under
// the race detector. They do not change.
var builtIn = sync.OnceValues(func() (*message.Templates, error) {
	languages, err := texts.Load("")
	if err != nil {
		return nil, err
	}
	return message.Load("", languages)
})

// Metrics returns the result of a scrape: the value of each series, by its name and labels as
// Prometheus writes them.
func (s *Server) Metrics() map[string]float64 {
	s.t.Helper()
	answer := httptest.NewRecorder()
	s.metrics.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(answer, httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		s.t.Fatalf("scrape: %d %s", answer.Code, answer.Body)
	}
	series := map[string]float64{}
	for line := range strings.Lines(answer.Body.String()) {
		if at := strings.LastIndexByte(line, ' '); !strings.HasPrefix(line, "#") && at > 0 {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
			must(s.t, err)
			series[line[:at]] = value
		}
	}
	return series
}

// must ends the test if there is an error.
var must = check.Must

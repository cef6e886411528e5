// Package servertest runs the whole server for a test: the real handler chain, real jobs and
// a database of its own. Its clients compare every answer with the complete document, and
// fail the test if the document does not declare the answer.
package servertest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"giftcards/gen/api"
	"giftcards/jobs"
	"giftcards/jobs/message"
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
	Handler http.Handler // the whole server without a connection; it does not judge answers
	Store   *store.Store // the server's own. Its role may only serve; see storetest.AsOwner
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
		Keys: keys, Now: clock.Now, MaxConns: 8, Tracer: counter, Meter: metrics.Meter(), ShareTransactions: share,
	})
	must(t, err)
	t.Cleanup(st.Close)
	logger := slog.New(telemetry.Logs(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	templates, err := message.Load("")
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

// Merchant is a merchant with a program and a logged-in user.
type Merchant struct {
	ID, ProgramID   string
	Email, Password string
	Token           string
	Client          *api.ClientWithResponses // sends Token
	server          *Server
}

// passwordHash is made once, with cheap parameters, because hashing is slow on purpose and
// tests log in often. A hash carries its parameters.
var passwordHash = sync.OnceValues(func() (string, error) {
	return argon2id.CreateHash(demoPassword, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

const demoPassword = "a password of a test"

// Merchant makes one more merchant.
func (s *Server) Merchant() *Merchant {
	s.t.Helper()
	hash, err := passwordHash()
	must(s.t, err)
	m := &Merchant{Password: demoPassword, server: s}
	storetest.AsOwner(s.t, s.Store, func(tx *store.Tx) (struct{}, error) {
		merchant, err := tx.AddMerchant(s.t.Context(), "Test merchant")
		if err != nil {
			return struct{}{}, err
		}
		m.ID, m.Email = merchant.ID.String(), "user-"+merchant.ID.String()+"@example.com"
		if _, err := tx.AddUser(s.t.Context(), store.User{MerchantID: merchant.ID, Email: m.Email, PasswordHash: hash, Role: store.RoleIssuer}); err != nil {
			return struct{}{}, err
		}
		program, err := tx.AddProgram(s.t.Context(), merchant.ID, "Test program")
		m.ProgramID = program.ID.String()
		return struct{}{}, err
	})
	m.Token = s.Login(m.Email, m.Password)
	m.Client = s.Client(m.Token)
	return m
}

// Login returns a token from POST /v2/token.
func (s *Server) Login(email, secret string) string {
	s.t.Helper()
	answer, err := s.Client("").CreateTokenWithFormdataBodyWithResponse(s.t.Context(), api.TokenForm{Username: email, Password: secret})
	must(s.t, err)
	if answer.JSON200 == nil || answer.JSON200.AccessToken == nil {
		s.t.Fatalf("login: %d %s", answer.StatusCode(), answer.Body)
	}
	return *answer.JSON200.AccessToken
}

// Client is the generated client, sending a token unless it is empty.
func (s *Server) Client(token string) *api.ClientWithResponses {
	s.t.Helper()
	client, err := api.NewClientWithResponses(s.URL, api.WithHTTPClient(s.HTTP()), api.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
	must(s.t, err)
	return client
}

// HTTP returns a client that compares every answer with the complete document.
func (s *Server) HTTP() *http.Client {
	return &http.Client{Transport: judge{s.t}, Timeout: 30 * time.Second}
}

// Answer is the answer to a request that was sent as it is.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Statements is the number of statements that the request sent to the database.
	Statements int64
}

// Do sends a request as it is, with the merchant's token, and returns the answer.
func (m *Merchant) Do(method, path string, header http.Header, body []byte) Answer {
	m.server.t.Helper()
	r, err := http.NewRequestWithContext(m.server.t.Context(), method, m.server.URL+path, bytes.NewReader(body))
	must(m.server.t, err)
	maps.Copy(r.Header, header)
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+m.Token)
	}
	return m.server.Send(r)
}

// Send sends a request and reads all of the answer.
func (s *Server) Send(r *http.Request) Answer {
	s.t.Helper()
	response, err := s.HTTP().Do(r)
	must(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(s.t, err)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body, Statements: s.counter.of(response)}
}

// Cards is the path of the merchant's program's cards.
func (m *Merchant) Cards() string { return "/v2/giftcards/programs/" + m.ProgramID + "/cards" }

// must ends the test if there is an error.
var must = check.Must

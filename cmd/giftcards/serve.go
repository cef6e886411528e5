package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"giftcards/jobs"
	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/sandbox"
	"giftcards/store"
	"giftcards/store/embedded"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

type serveCommand struct{}

// A stopping server first waits --drain, so that proxies notice. Then requests, and
// after them jobs, get this long to finish. An interrupted transaction rolls back at once.
const (
	requestDrain = 5 * time.Second
	jobDrain     = 3 * time.Second
)

// Run serves until a signal comes or the private database is lost.
func (serveCommand) Run(s *session) (err error) {
	if err := s.checkAddressIsFree(); err != nil {
		return err
	}
	defer s.openLog()()
	log := s.log.Logger
	garbage := s.config.newCollector(log)
	fresh := newDemoSecret()
	s.workAhead(fresh)
	d, err := s.openDatabase(log)
	if err != nil {
		return err
	}
	// The deferred calls stop requests, jobs, the pool and the database in this order,
	// because each needs the next one.
	defer func() { err = errors.Join(err, d.close(s)) }()
	if err := s.migrate(d.setupURL()); err != nil {
		return err
	}
	return s.serveOn(d, garbage, fresh)
}

// serveOn serves from a database that is set up.
func (s *session) serveOn(d database, garbage *collector, fresh demoSecret) (err error) {
	log := s.log.Logger
	// Tracing starts before the store and the jobs, because both get its tracer.
	observability, err := s.newObservability(log)
	if err != nil {
		return err
	}
	defer observability.close(s)
	st, keys, err := s.openStore(d.url, observability)
	if err != nil {
		return err
	}
	defer st.Close()
	s.adviseOnPostgres(st)
	work, err := s.newJobs(st, keys, observability, log)
	if err != nil {
		return err
	}
	var stopping atomic.Bool
	readiness := &readiness{store: st, jobs: work, keys: keys, stopping: &stopping, log: log}
	answering, err := s.newServer(server.Options{Store: st, Jobs: work, Keys: keys, Logger: log, Ready: readiness.check}, observability)
	if err != nil {
		return err
	}
	handler, err := s.withSandbox(answering)
	if err != nil {
		return err
	}
	// Jobs start only after both addresses are open, because a second server that finds its
	// address taken must not take any task.
	listener, err := s.listen()
	if err != nil {
		return err
	}
	if err := s.openAdmin(observability, work, readiness.check); err != nil {
		return err
	}
	if err := work.Start(s); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopWithin(s, jobDrain, work.Stop)) }()
	if err := s.greet(st, d, fresh); err != nil {
		return err
	}
	go garbage.follow(s, answering.OpenMemory)
	h := newHTTPServer(closing(handler, &stopping), s.config.tlsConfig(log), log)
	h.ConnState = garbage.count
	return s.serve(server.LimitConnections(listener, s.config.MaxConnections, append(thisMachine(), s.config.proxies...)), h, d, &stopping)
}

// workAhead begins what takes long, needs no database and is needed after it, so that it runs
// while PostgreSQL is set up and started. Each of the two is waited for where it is needed.
func (s *session) workAhead(fresh demoSecret) {
	go openapi.Load() //nolint:errcheck // server.New gets the same error
	// Only a new private database certainly gets a new demo.
	if s.config.DatabaseURL == "" && !embedded.Exists(s.config.StateDir) {
		go fresh.hash() //nolint:errcheck // resetDemo gets the same error
	}
}

// withSandbox returns the server, behind a sandbox if --sandbox asks for one.
func (s *session) withSandbox(answering *server.Server) (http.Handler, error) {
	if !s.config.Sandbox {
		return answering, nil
	}
	return sandbox.New(sandbox.Options{
		Next: answering, Store: answering.Store, Jobs: answering.Jobs, Keys: answering.Keys, Logger: answering.Logger, BaseURL: s.config.BaseURL,
		Validator: answering.Validator(), Languages: answering.Languages,
	})
}

// checkAddressIsFree listens for a moment. A newcomer hears that the address is taken
// before PostgreSQL is fetched and set up. Clients cannot connect yet, because nobody
// would answer them.
func (s *session) checkAddressIsFree() error {
	listener, err := s.listen()
	if err != nil {
		return err
	}
	return listener.Close()
}

func (s *session) listen() (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(s, "tcp", s.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w (choose another address with --listen)", err)
	}
	return listener, nil
}

// thisMachine returns the machine's own addresses. A load test or a proxy on this
// machine may open all of the connections.
func thisMachine() []*net.IPNet {
	return []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0), Mask: net.CIDRMask(8, 32)}, {IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}}
}

// openStore opens the keys and the database, and checks that the keys can open its security
// codes.
func (s *session) openStore(url string, obs *observability) (*store.Store, *keyring.Ring, error) {
	// The keys need a migrated database, which tells whether any server has used it.
	keys, err := s.keys(url)
	if err != nil {
		return nil, nil, err
	}
	st, err := store.Open(s, url, store.Options{
		Keys: keys, CardPrefix: s.config.CardPrefix, MaxConns: int32(s.config.DatabaseConnections), ShareTransactions: s.config.ShareTransactions,
		Meter: obs.meter(), Tracer: obs.queries(),
	})
	if err != nil {
		return nil, nil, err
	}
	if err := st.CheckKeys(s); err != nil {
		st.Close()
		return nil, nil, fmt.Errorf("%s: %w", s.config.KeysFile, err)
	}
	return st, keys, nil
}

func (s *session) newJobs(st *store.Store, keys *keyring.Ring, obs *observability, log *slog.Logger) (*jobs.Jobs, error) {
	delivery, err := s.delivery()
	if err != nil {
		return nil, err
	}
	// Mail programs end receipts by https only (RFC 8058).
	if base := s.config.BaseURL; strings.HasPrefix(base, "https://") {
		delivery.Refuse = func(program id.ID, address string) string { return server.ReceiptLink(base, keys, program, address) }
	}
	return jobs.New(st, jobs.Options{
		Logger: log, Lifetimes: s.config.lifetimes(), Delivery: delivery, PollOnly: s.config.PollOnly,
		SmallWorkers: s.config.SmallTasks, LargeWorkers: s.config.LargeTasks, MerchantTasks: s.config.MerchantTasks,
		Meter: obs.meter(), Tracer: obs.tracer(),
	})
}

func (s *session) newServer(o server.Options, obs *observability) (*server.Server, error) {
	o.BaseURL, o.Sandbox = s.config.BaseURL, s.config.Sandbox
	o.BulkThreshold, o.BulkMaximum, o.BulkBodyLimit = s.config.BulkThreshold, s.config.BulkMaximum, int64(s.config.BulkBodyLimit)<<20
	o.BodyBudget, o.MerchantBacklog = int64(s.config.BodyBudget)<<20, s.config.MerchantBacklog
	o.TokenLifetime, o.LinkLifetime = s.config.TokenLifetime, s.config.LinkLifetime
	o.Languages = s.config.languages
	o.Meter, o.Tracer = obs.meter(), obs.tracer()
	o.Successes, o.LogSample = s.log.successes, s.config.LogSample
	s.config.protection.apply(&o)
	if o.Sandbox { // suites that run in parallel share an address
		o.AddressRate, o.FailedLogins, o.BalanceChecks = 0, 0, 0
	}
	return server.New(o)
}

// closing tells clients to close their connection after an answer while the server
// stops. Idle connections stay open, because a request may be on its way.
func closing(next http.Handler, stopping *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// newHTTPServer does not derive requests from the signal's context, because the signal
// would then cancel the requests that the shutdown waits for.
func newHTTPServer(handler http.Handler, encryption *tls.Config, log *slog.Logger) *http.Server {
	// Without these limits a slow client would hold a connection for ever.
	return &http.Server{
		Handler:           handler,
		TLSConfig:         encryption,
		ReadHeaderTimeout: server.HeaderTimeout,
		ReadTimeout:       server.BodyTimeout,
		WriteTimeout:      server.WriteTimeout,
		IdleTimeout:       server.IdleTimeout,
		MaxHeaderBytes:    server.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // mostly broken connections of clients
	}
}

// serve answers requests until a signal comes. Then /readyz fails for the time of
// --drain while requests are still answered, and the server shuts down.
func (s *session) serve(listener net.Listener, h *http.Server, d database, stopping *atomic.Bool) error {
	defer h.Close() // streams that still write must not keep the pool open
	failed := make(chan error, 1)
	go func() {
		if h.TLSConfig != nil {
			failed <- h.ServeTLS(listener, "", "")
			return
		}
		failed <- h.Serve(listener)
	}()
	select {
	case err := <-failed:
		return err
	// Without its database, the server cannot work and must be restarted.
	case <-d.lost():
		return fmt.Errorf("the private database ended: %w", d.private.Err())
	case <-s.Done():
	}
	s.log.Info("stopping after a signal")
	stopping.Store(true)
	select {
	case <-time.After(s.config.Drain):
	case err := <-failed:
		return err
	case <-d.lost():
		return fmt.Errorf("the private database ended: %w", d.private.Err())
	}
	if err := stopWithin(s, requestDrain, h.Shutdown); err != nil {
		s.log.Warn("requests were cut off", "error", err)
	}
	return nil
}

func stopWithin(ctx context.Context, limit time.Duration, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return stop(ctx)
}

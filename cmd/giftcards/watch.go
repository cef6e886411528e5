package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"giftcards/jobs"
	"giftcards/server"
	"giftcards/server/admin"
	"giftcards/server/telemetry"
)

// defaultAdminListen is the port that OpenTelemetry's exporters for Prometheus
// have, and nobody else by default.
const defaultAdminListen = "127.0.0.1:9464"

// traceDrain is what spans get to reach the collector when the server stops.
const traceDrain = 2 * time.Second

// watching is how operators see what a server does.
type watching struct {
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing // nil unless the environment asks for it
	admin   *http.Server       // nil unless it is open
	log     *slog.Logger
}

func (s *session) watching(log *slog.Logger) (*watching, error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { // a collector that is away, a number that cannot be had
		log.WarnContext(s, "not all could be measured or traced", "error", err)
	}))
	metrics, err := telemetry.NewMetrics(version)
	if err != nil {
		return nil, err
	}
	w := &watching{metrics: metrics, log: log}
	if telemetry.Traced() {
		w.tracing, err = telemetry.StartTracing(s, version)
	}
	return w, err
}

func (w *watching) meter() metric.Meter { return w.metrics.Meter() }

// tracer is nil without tracing, as what takes it expects.
func (w *watching) tracer() trace.Tracer {
	if w.tracing == nil {
		return nil
	}
	return w.tracing.Tracer(telemetry.Scope)
}

// queries follows statements that belong to a span; nil without tracing.
func (w *watching) queries() pgx.QueryTracer {
	if w.tracing == nil {
		return nil
	}
	return otelpgx.NewTracer(otelpgx.WithTracerProvider(w.tracing), otelpgx.WithDisableConnectionDetailsInAttributes())
}

// close closes the admin address and sends the last spans.
func (w *watching) close(ctx context.Context) {
	if w.admin != nil {
		if err := w.admin.Close(); err != nil {
			w.log.Warn("the admin address was not closed", "error", err)
		}
	}
	if w.tracing == nil {
		return
	}
	if err := stopWithin(ctx, traceDrain, w.tracing.Shutdown); err != nil {
		w.log.Warn("the last traces were not sent", "error", err)
	}
}

// openAdmin serves the admin address until w is closed. If the default one is
// taken, by another server on this machine, there is none: that must not keep a
// server from running, but one that was chosen must be had.
func (s *session) openAdmin(w *watching, work *jobs.Jobs, ready func(context.Context) error) error {
	address := s.config.AdminListen
	if address == adminOff {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(s, "tcp", address)
	if err != nil && address == defaultAdminListen {
		w.log.Warn("no admin address: it is taken (choose another with --admin-listen)", "address", address)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (choose another address with --admin-listen)", err)
	}
	handler, err := admin.New(s, admin.Options{Metrics: w.metrics.Handler(w.log), River: work.River(), Ready: ready, Logger: w.log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	w.admin = &http.Server{
		Handler:           handler, // no bound on writing: profiles take as long as was asked for
		ReadHeaderTimeout: server.HeaderTimeout,
		ReadTimeout:       server.BodyTimeout,
		IdleTimeout:       server.IdleTimeout,
		MaxHeaderBytes:    server.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	fmt.Fprintf(s.stdout, "Operators find metrics, River's page and profiles at http://%s\n", address)
	go func() {
		if err := w.admin.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("the admin address failed", "error", err)
		}
	}()
	return nil
}

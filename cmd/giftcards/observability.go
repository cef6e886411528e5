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

// defaultAdminListen has the default port of OpenTelemetry's Prometheus exporter.
const defaultAdminListen = "127.0.0.1:9464"

// traceDrain bounds the export of the last spans when the server stops.
const traceDrain = 2 * time.Second

// observability is the metrics, the tracing and the admin address of a server.
type observability struct {
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing // nil unless the environment asks for it
	admin   *http.Server       // nil unless it is open
	log     *slog.Logger
}

func (s *session) newObservability(log *slog.Logger) (*observability, error) {
	// For example, the collector is unreachable or a metric's query has failed.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.WarnContext(s, "a metric or trace is missing", "error", err)
	}))
	metrics, err := telemetry.NewMetrics(version)
	if err != nil {
		return nil, err
	}
	if err := s.log.measure(metrics.Meter()); err != nil {
		return nil, err
	}
	o := &observability{metrics: metrics, log: log}
	if telemetry.Traced() {
		o.tracing, err = telemetry.StartTracing(s, version)
	}
	return o, err
}

func (o *observability) meter() metric.Meter { return o.metrics.Meter() }

// tracer returns nil without tracing, and as an interface without a type: its users
// compare it with nil.
func (o *observability) tracer() trace.Tracer {
	if o.tracing == nil {
		return nil
	}
	return o.tracing.Tracer(telemetry.Scope)
}

// queries returns a tracer of SQL statements, nil without tracing.
func (o *observability) queries() pgx.QueryTracer {
	if o.tracing == nil {
		return nil
	}
	return otelpgx.NewTracer(otelpgx.WithTracerProvider(o.tracing), otelpgx.WithDisableConnectionDetailsInAttributes())
}

// close closes the admin address and sends the last spans.
func (o *observability) close(ctx context.Context) {
	if o.admin != nil {
		if err := o.admin.Close(); err != nil {
			o.log.Warn("the admin address was not closed", "error", err)
		}
	}
	if o.tracing == nil {
		return
	}
	// The collector may be unreachable, and must not keep the server from stopping.
	if err := stopWithin(ctx, traceDrain, o.tracing.Shutdown); err != nil {
		o.log.Warn("the last traces were not sent", "error", err)
	}
}

// openAdmin serves the admin address until o is closed. If the default address is taken,
// the server runs without one, because a second server on the machine must be able to
// start. If an address that the operator chose is taken, openAdmin fails.
func (s *session) openAdmin(o *observability, work *jobs.Jobs, ready func(context.Context) error) error {
	address := s.config.AdminListen
	if address == adminOff {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(s, "tcp", address)
	if err != nil && address == defaultAdminListen {
		o.log.Warn("no admin address: it is taken (choose another with --admin-listen)", "address", address)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (choose another address with --admin-listen)", err)
	}
	// From here on errors must close the listener.
	handler, err := admin.New(s, admin.Options{Metrics: o.metrics.Handler(o.log), River: work.River(), Ready: ready, Logger: o.log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	o.admin = &http.Server{
		Handler:           handler, // no WriteTimeout: the client chooses how long a profile takes
		ReadHeaderTimeout: server.HeaderTimeout,
		ReadTimeout:       server.BodyTimeout,
		IdleTimeout:       server.IdleTimeout,
		MaxHeaderBytes:    server.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
	}
	fmt.Fprintf(s.stdout, "Operators find metrics, River's page and profiles at http://%s\n", address)
	go func() {
		if err := o.admin.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.log.Error("the admin address failed", "error", err)
		}
	}()
	return nil
}

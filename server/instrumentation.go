package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"giftcards/server/validate"
	"giftcards/store"
)

// instrumentation measures and traces requests. A request cannot make a new series, because
// all labels are made at the start or from constants.
type instrumentation struct {
	tracer   trace.Tracer
	tracing  bool
	duration metric.Float64Histogram
	refusals metric.Int64Counter // elements of 422s
	refused  metric.Int64Counter // changes that a card's state or balance does not allow
	replays  atomic.Int64
	routes   map[route]*operationLabels
	other    *operationLabels // for documents, pages and unknown paths
}

// operationLabels are the labels of the answers of one operation.
type operationLabels struct {
	name     string
	statuses map[int][]metric.RecordOption
	broken   []metric.RecordOption // answers that were broken off
	strange  []metric.RecordOption // statuses that are not in countedStatuses
}

// countedStatuses are the statuses of the server's answers.
var countedStatuses = []int{200, 201, 202, 204, 302, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503}

func newOperationLabels(name string) *operationLabels {
	labels := func(status string) []metric.RecordOption {
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("operation", name), attribute.String("status", status)))}
	}
	o := &operationLabels{name: name, statuses: map[int][]metric.RecordOption{}, broken: labels("broken_off"), strange: labels("other")}
	for _, status := range countedStatuses {
		o.statuses[status] = labels(strconv.Itoa(status))
	}
	return o
}

// newInstrumentation makes the instruments.
func newInstrumentation(o Options, operations map[route]operation) (*instrumentation, error) {
	i := &instrumentation{tracer: o.Tracer, tracing: o.Tracer != nil, routes: map[route]*operationLabels{}, other: newOperationLabels("other")}
	if i.tracer == nil {
		i.tracer = tracenoop.Tracer{}
	}
	meter := o.Meter
	if meter == nil {
		meter = metricnoop.Meter{}
	}
	for of, op := range operations {
		// FastAPI makes an operation's id of its name, path and method. The name is the label.
		name, _, _ := strings.Cut(op.ID, "_v2_")
		i.routes[of] = newOperationLabels(name)
	}
	var errs [5]error
	i.duration, errs[0] = meter.Float64Histogram("giftcards_request_duration_seconds",
		metric.WithDescription("Requests and the time they took, by operation and status of the answer."),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120))
	i.refusals, errs[1] = meter.Int64Counter("giftcards_validation_errors_total",
		metric.WithDescription("Elements of the detail of 422s, by type."))
	i.refused, errs[2] = meter.Int64Counter("giftcards_card_refusals_total",
		metric.WithDescription("Changes that the state or the balance of a card does not allow (400) or that had a wrong security code (401), by operation and reason."))
	_, errs[3] = meter.Int64ObservableCounter("giftcards_idempotent_replays_total",
		metric.WithDescription("Answers that were repeated, because a request came again under its idempotency key."),
		metric.WithInt64Callback(func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(i.replays.Load())
			return nil
		}))
	_, errs[4] = meter.Int64ObservableGauge("giftcards_ready", metric.WithDescription("1 if the instance can do its work, 0 if not."),
		metric.WithInt64Callback(func(ctx context.Context, observer metric.Int64Observer) error {
			ctx, cancel := context.WithTimeout(ctx, readyTimeout)
			defer cancel()
			ready := int64(1)
			if o.Ready(ctx) != nil {
				ready = 0
			}
			observer.Observe(ready)
			return nil
		}))
	return i, errors.Join(errs[:]...)
}

// readyTimeout bounds how long a scrape waits for the database.
const readyTimeout = 2 * time.Second

// measure records the time and status of a request, and makes a span for it in the caller's
// trace or in a new one. Without a tracer and a traceparent, the span costs nothing.
func (i *instrumentation) measure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r := c.Request()
		one, ok := i.routes[routeOf(c)]
		if !ok {
			one = i.other
		}
		span := trace.Span(tracenoop.Span{})
		if i.tracing || r.Header["Traceparent"] != nil {
			var ctx context.Context
			ctx = propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
			ctx, span = i.tracer.Start(ctx, one.name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
				attribute.String("http.request.method", r.Method), attribute.String("http.route", c.Path())))
			r = r.WithContext(ctx)
			c.SetRequest(r)
		}
		// Deferred, because an answer that is broken off ends in a panic. The labels are then
		// those of this line.
		labels := one.broken
		defer func() {
			i.duration.Record(r.Context(), time.Since(start).Seconds(), labels...)
			status := c.Response().Status
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		err := next(c)
		if labels, ok = one.statuses[c.Response().Status]; !ok {
			labels = one.strange
		}
		if c.Response().Header()["Idempotent-Replayed"] != nil {
			i.replays.Add(1)
		}
		return err
	}
}

// countRefusals counts the errors of a 422 by type.
func (i *instrumentation) countRefusals(ctx context.Context, invalid validate.Errors) {
	types := map[string]int64{}
	for _, detail := range invalid {
		types[detail.Type]++
	}
	for name, n := range types {
		i.refusals.Add(ctx, n, metric.WithAttributes(attribute.String("type", name)))
	}
}

// countCardRefusal counts an error that a card is the reason for, by operation and by the
// sentence of the answer. Other errors are not counted.
func (i *instrumentation) countCardRefusal(c echo.Context, err error) {
	var reason string
	if failed, ok := errors.AsType[*store.Error](err); ok && (failed.Kind == store.Refused || failed.Kind == store.WrongCode) {
		reason = failed.Message // a constant, because these errors are variables of the store
	} else if over, ok := errors.AsType[*store.ReloadLimitError](err); ok {
		reason = over.Error()
	} else {
		return
	}
	name := i.other.name
	if one, ok := i.routes[routeOf(c)]; ok {
		name = one.name
	}
	i.refused.Add(c.Request().Context(), 1, metric.WithAttributes(attribute.String("operation", name), attribute.String("reason", reason)))
}

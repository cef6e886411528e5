package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// traceparent is the key of a job's metadata that holds the position in a trace, in the
// format of W3C's Trace Context.
const traceparent = "traceparent"

// instrumentation measures River's jobs, and traces each in the trace of the request that
// enqueued it.
type instrumentation struct {
	river.WorkerMiddlewareDefaults
	duration metric.Float64Histogram
	tracer   trace.Tracer
}

func newInstrumentation(meter metric.Meter, tracer trace.Tracer) (*instrumentation, error) {
	if meter == nil {
		meter = metricnoop.Meter{}
	}
	if tracer == nil {
		tracer = tracenoop.Tracer{}
	}
	duration, err := meter.Float64Histogram("giftcards_job_duration_seconds",
		metric.WithDescription("Duration of attempts at River's jobs."),
		metric.WithExplicitBucketBoundaries(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000))
	return &instrumentation{duration: duration, tracer: tracer}, err
}

// Work runs an attempt at a job within a span and records its duration.
func (i *instrumentation) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) error {
	start := time.Now()
	var origin struct{ Traceparent string }
	// A job without a position, such as one of the sweep, begins a trace of its own.
	if err := json.Unmarshal(job.Metadata, &origin); err == nil {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: origin.Traceparent})
	}
	ctx, span := i.tracer.Start(ctx, "job "+job.Kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.Int64("river.job_id", job.ID), attribute.Int("river.attempt", job.Attempt)))
	defer span.End()
	outcome := "failed" // stays so if doInner panics
	defer func() {
		i.duration.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(attribute.String("kind", job.Kind), attribute.String("outcome", outcome)))
	}()
	err := doInner(ctx)
	if err == nil {
		outcome = "completed"
	} else if _, snoozed := errors.AsType[*river.JobSnoozeError](err); snoozed {
		outcome = "snoozed" // the job waits for a slot, which is not a failure
	} else {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// traced returns options that store ctx's position in a trace with the job.
func traced(ctx context.Context) *river.InsertOpts {
	options := &river.InsertOpts{}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if carrier[traceparent] == "" {
		return options
	}
	if metadata, err := json.Marshal(map[string]string{traceparent: carrier[traceparent]}); err == nil { // strings always marshal
		options.Metadata = metadata
	}
	return options
}

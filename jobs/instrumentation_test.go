package jobs_test

import (
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/storetest/check"
)

// TestAJobIsInTheTraceOfItsRequest, although it runs later and perhaps in another process.
func TestAJobIsInTheTraceOfItsRequest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	work := f.prepare(t, func(o *jobs.Options) { o.Tracer = tracer })
	ctx, request := tracer.Start(t.Context(), "request")
	task := f.add(t, nil, 3)
	err := store.Do(ctx, f.Store, func(tx *store.Tx) error {
		return work.EnqueueBulkIssue(ctx, tx, task)
	})
	must(t, err)
	request.End()
	f.run(t, work)
	check.Until(t, "the span of the job", func() bool { return len(spans.Ended()) >= 2 })
	job := spans.Ended()[1]
	if job.Name() != "job bulk_issue" || job.Parent().SpanID() != request.SpanContext().SpanID() || job.SpanContext().TraceID() != request.SpanContext().TraceID() {
		t.Errorf("span %q below %s, want below %s", job.Name(), job.Parent().SpanID(), request.SpanContext().SpanID())
	}
}

// TestAJobThatWaitsForASlotIsNoFailure in metrics and traces.
func TestAJobThatWaitsForASlotIsNoFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	spans, metrics := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	work := f.prepare(t, func(o *jobs.Options) {
		o.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
		o.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics)).Meter("test")
	})
	release := f.hold(t, func(tx *store.Tx) error { return tx.TakeSlot(t.Context(), f.program.ID, uuid.New(), 1) })
	task := f.add(t, work, large)
	f.run(t, work)
	check.Until(t, "the span of the job that waits", func() bool { return len(spans.Ended()) > 0 })
	release()
	f.ended(t, task)
	if status := spans.Ended()[0].Status(); status.Code == codes.Error {
		t.Errorf("the job that waits failed: %s", status.Description)
	}
	var all metricdata.ResourceMetrics
	must(t, metrics.Collect(t.Context(), &all))
	outcomes := map[string]bool{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if histogram, is := m.Data.(metricdata.Histogram[float64]); is && m.Name == "giftcards_job_duration_seconds" {
			for _, point := range histogram.DataPoints {
				outcome, _ := point.Attributes.Value("outcome")
				outcomes[outcome.AsString()] = true
			}
		}
	}
	if !outcomes["snoozed"] || outcomes["failed"] {
		t.Errorf("outcomes %v", outcomes)
	}
}

package jobs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/storetest"
)

// TestAJobIsInTheTraceOfItsRequest, though it runs later and elsewhere.
func TestAJobIsInTheTraceOfItsRequest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	work, err := jobs.New(f.Store, jobs.Options{Logger: slog.New(slog.DiscardHandler), Lifetimes: storetest.Lifetimes, Tracer: tracer})
	must(t, err)
	ctx, request := tracer.Start(t.Context(), "request")
	task := f.add(t, nil, 3)
	_, err = store.Write(ctx, f.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, work.EnqueueBulkIssue(ctx, tx, task)
	})
	must(t, err)
	request.End()
	must(t, work.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		must(t, work.Stop(ctx))
	})
	for len(spans.Ended()) < 2 && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	job := spans.Ended()[1]
	if job.Name() != "job bulk_issue" || job.Parent().SpanID() != request.SpanContext().SpanID() || job.SpanContext().TraceID() != request.SpanContext().TraceID() {
		t.Errorf("span %q below %s, want below %s", job.Name(), job.Parent().SpanID(), request.SpanContext().SpanID())
	}
}

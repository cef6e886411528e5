package servertest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// statements counts the statements of each request. If one caller's request takes more of
// them than another's, their times differ too, even if their answers are equal. Unlike a
// time, the count is the same on any machine.
type statements struct{ byRequestID sync.Map }

type statementsKey struct{}

// count counts the statements of the handler's requests.
func (s *statements) count(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted := new(atomic.Int64)
		handler.ServeHTTP(byID{w, s, counted}, r.WithContext(context.WithValue(r.Context(), statementsKey{}, counted)))
	})
}

// of returns the count of the request that got this answer.
func (s *statements) of(response *http.Response) int64 {
	counted, ok := s.byRequestID.LoadAndDelete(response.Header.Get("X-Request-Id"))
	if !ok {
		return -1 // the answer came before the handler ran
	}
	return counted.(*atomic.Int64).Load()
}

// TraceQueryStart counts a statement of a request. Statements of jobs do not count.
func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if counted, ok := ctx.Value(statementsKey{}).(*atomic.Int64); ok {
		counted.Add(1)
	}
	return ctx
}

// TraceQueryEnd does nothing.
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// byID stores the count under the request's id, which is known when the answer begins.
type byID struct {
	http.ResponseWriter
	statements *statements
	counted    *atomic.Int64
}

// WriteHeader stores the count and begins the answer.
func (w byID) WriteHeader(status int) {
	w.statements.byRequestID.Store(w.Header().Get("X-Request-Id"), w.counted)
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the inner writer, on which streams set their deadline.
func (w byID) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TraceBatchStart counts nothing, because TraceBatchQuery counts each statement of the batch.
func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery counts a statement of a batch.
func (s *statements) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchQueryData) {
	s.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{})
}

// TraceBatchEnd does nothing.
func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

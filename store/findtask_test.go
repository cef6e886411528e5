package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/storetest"
)

// batchQueries counts the queries of batches.
type batchQueries struct{ n int }

func (q *batchQueries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (q *batchQueries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (q *batchQueries) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (q *batchQueries) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) { q.n++ }

func (q *batchQueries) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TestEqualQuestionsForATaskAreAskedOnce: the callers share a query, and each gets the right answer.
func TestEqualQuestionsForATaskAreAskedOnce(t *testing.T) {
	t.Parallel()
	queries := &batchQueries{}
	f := setup(t, func(o *store.Options) { o.Tracer = queries })
	task := func(cards int) uuid.UUID {
		return write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
			return tx.AddTask(t.Context(), store.Access{}, f.terms(t), cards, nil)
		}).ID
	}
	small, large, none := task(60), task(70), uuid.New()
	ended := storetest.Access(t, f.Store, f.program)
	commit(t, f.Store, func(tx *store.Tx) error {
		return tx.RevokeToken(t.Context(), ended.TokenID, f.Clock().Add(time.Hour))
	})
	asked := []store.AskedTask{
		{f.access, small}, {f.access, large}, {f.access, small}, {f.access, none}, {ended, small}, {f.access, large}, {f.access, none},
	}
	queries.n = 0
	found, err := store.FindTasks(t.Context(), f.Store, asked)
	must(t, err)
	if queries.n != 4 {
		t.Errorf("%d queries for 4 different questions", queries.n)
	}
	for i, a := range asked {
		switch row := found[i]; {
		case a.Task == none:
			if row != nil {
				t.Errorf("question %d has the answer %+v, want none", i, row)
			}
		case row == nil || row.BulkTask.ID != a.Task || row.AccessUnchanged != (a.Access.TokenID == f.access.TokenID):
			t.Errorf("question %d about %s has the answer %+v", i, a.Task, row)
		}
	}
}

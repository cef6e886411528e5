package store_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// BenchmarkIssueTask issues the cards of a task of b.N in count mode and, in turns
// with it, writes the very same rows by a bare COPY, which is all that PostgreSQL
// can do: medians of five, and the ratio of both. It says nothing below some 10,000
// cards. With -benchtime=1000000x it needs two minutes and 1 GB; for figures that
// mean something, set GIFTCARDS_TEST_DATABASE_URL to a server that keeps its data.
func BenchmarkIssueTask(b *testing.B) {
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	keys, err := keyring.Create(filepath.Join(b.TempDir(), "keys.json"))
	ok(err)
	s, err := store.Open(b.Context(), storetest.URL(b), store.Options{Keys: keys})
	ok(err)
	defer s.Close()
	pooled, err := s.Pool().Acquire(b.Context())
	ok(err)
	defer pooled.Release()
	conn := pooled.Conn().PgConn()
	value, err := money.Parse("25")
	ok(err)
	perSecond := func(do func() error) float64 {
		_ = conn.Exec(b.Context(), "checkpoint").Close() // a role that may not does without; a server for tests keeps nothing
		start := time.Now()
		ok(do())
		return float64(b.N) / time.Since(start).Seconds()
	}
	var issued, copied []float64
	for range 5 {
		issued = append(issued, perSecond(func() error {
			_, err := store.Write(b.Context(), s, func(tx *store.Tx) (struct{}, error) {
				task, err := tx.AddTask(b.Context(), store.Access{}, store.Terms{ProgramID: id.New(tx.Now()), InitialValue: value}, b.N, nil)
				if err != nil {
					return struct{}{}, err
				}
				return struct{}{}, tx.IssueTask(b.Context(), task.ProgramID, task.ID, func(int) {})
			})
			return err
		}))
		var rows bytes.Buffer
		_, err := conn.CopyTo(b.Context(), &rows, "copy gift_cards to stdout binary")
		ok(err)
		ok(conn.Exec(b.Context(), "truncate gift_cards").Close())
		copied = append(copied, perSecond(func() (err error) {
			_, err = conn.CopyFrom(b.Context(), &rows, "copy gift_cards from stdin binary")
			return err
		}))
		ok(conn.Exec(b.Context(), "truncate gift_cards").Close())
	}
	slices.Sort(issued)
	slices.Sort(copied)
	b.ReportMetric(issued[2], "issued/s")
	b.ReportMetric(copied[2], "copied/s")
	b.ReportMetric(100*issued[2]/copied[2], "%")
	b.ReportMetric(0, "ns/op") // of both together, and of making ready
}

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

// BenchmarkIssueTask compares a task of b.N cards by count with a bare COPY of the same rows, the
// fastest way to write them to PostgreSQL. It runs both in turns, and reports the medians of five
// rounds and their ratio. The ratio means nothing below about 10,000 cards. With
// -benchtime=1000000x the benchmark needs two minutes and 1 GB. The private PostgreSQL of tests
// does not write durably: set GIFTCARDS_TEST_DATABASE_URL to a server that does.
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
		_ = conn.Exec(b.Context(), "checkpoint").Close() // an error does not matter: a lesser role may not do this, and a server for tests need not
		start := time.Now()
		ok(do())
		return float64(b.N) / time.Since(start).Seconds()
	}
	var issued, copied []float64
	for range 5 {
		issued = append(issued, perSecond(func() error {
			err := store.Do(b.Context(), s, func(tx *store.Tx) error {
				task, err := tx.AddTask(b.Context(), store.Access{}, store.Terms{ProgramID: id.New(tx.Now()), InitialValue: value}, b.N, nil)
				if err != nil {
					return err
				}
				return tx.IssueTask(b.Context(), task.ProgramID, task.ID, func(int) {})
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
	b.ReportMetric(0, "ns/op") // it would include the COPY and the preparation
}

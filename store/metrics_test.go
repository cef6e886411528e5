package store_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/storetest"
)

// statements counts the statements that begin a read of the backlog.
type statements struct{ backlogs int }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, query pgx.TraceQueryStartData) context.Context {
	if len(query.SQL) > 18 && query.SQL[:18] == "-- name: CountJobs" {
		s.backlogs++
	}
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// measured is a store and a reader of its metrics.
func measured(t *testing.T) (fixture, *statements, func() map[string]int64) {
	t.Helper()
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(t, err)
	reader, asked := sdkmetric.NewManualReader(), &statements{}
	s, err := store.Open(t.Context(), storetest.URL(t), store.Options{
		Keys: keys, MaxConns: 4, Tracer: asked,
		Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"),
	})
	must(t, err)
	t.Cleanup(s.Close)
	return fixture{Store: s}, asked, func() map[string]int64 {
		var all metricdata.ResourceMetrics
		_ = reader.Collect(t.Context(), &all) // metrics that cannot be read are left out
		values := map[string]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, p := range data.DataPoints {
						values[m.Name] += p.Value
					}
				case metricdata.Sum[float64]:
					for _, p := range data.DataPoints {
						values[m.Name] += int64(math.Round(p.Value * 1000)) // in thousandths
					}
				case metricdata.Gauge[int64]:
					for _, p := range data.DataPoints {
						values[m.Name] += p.Value
					}
				}
			}
		}
		return values
	}
}

func TestOnlyWhatIsCommittedCounts(t *testing.T) {
	t.Parallel()
	f, _, read := measured(t)
	f.program = storetest.Program(t, f.Store).ID
	undone := errors.New("undone")
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		if _, err := tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 5)); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 2))
	})
	_, err = f.SaveKeyUses(t.Context())
	must(t, err)
	if got := read()["giftcards_code_key_seals"]; got != 7 { // a seal that was rolled back has used the key, too
		t.Errorf("%d seals are told, want 7", got)
	}
	if got := read()["giftcards_cards_issued_total"]; got != 2 {
		t.Errorf("%d cards are counted, want the 2 that were committed", got)
	}
	if got := read()["giftcards_issued_value_total"]; got != 2*12345 {
		t.Errorf("%d thousandths are counted, want twice 12,345", got)
	}
}

// TestOnlyCommittedEntriesCount: an activation that is rolled back moves no money.
func TestOnlyCommittedEntriesCount(t *testing.T) {
	t.Parallel()
	f, _, read := measured(t)
	f.program = storetest.Program(t, f.Store).ID
	card, undone := f.newCard(t), errors.New("undone")
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(t.Context(), f.program, card)
		if err != nil {
			return err
		}
		return errors.Join(locked.Activate(nil, nil), tx.SaveCards(t.Context(), locked), undone)
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	if got := read(); got["giftcards_ledger_entries_total"] != 0 || got["giftcards_ledger_amount_total"] != 0 {
		t.Errorf("what was rolled back is counted: %v", got)
	}
	_, err = f.change(t, card, func(_ *store.Tx, c *store.Card) error { return c.Activate(nil, nil) })
	must(t, err)
	if got := read(); got["giftcards_ledger_entries_total"] != 1 || got["giftcards_ledger_amount_total"] != 25_000 {
		t.Errorf("an activation of 25.00 is not counted as one entry and 25,000 thousandths: %v", got)
	}
}

// TestScrapesDoNotLoadTheDatabase: the backlog is counted at most every 10 seconds, however
// many scrapes there are. If the database is away, its metrics are missing, and not wrong.
func TestScrapesDoNotLoadTheDatabase(t *testing.T) {
	t.Parallel()
	_, asked, read := measured(t)
	for range 20 {
		if _, ok := read()["giftcards_tasks"]; !ok {
			t.Fatal("tasks are not counted")
		}
	}
	if asked.backlogs > 2 { // 2 on a machine that takes more than 10 s for this
		t.Errorf("20 scrapes counted %d times", asked.backlogs)
	}
	away, _, readAway := measured(t)
	away.Close()
	values := readAway()
	if _, ok := values["giftcards_tasks"]; ok {
		t.Errorf("a database that is away has tasks: %v", values)
	}
	if _, ok := values["giftcards_cards_issued_total"]; !ok {
		t.Errorf("without a database nothing is told: %v", values)
	}
}

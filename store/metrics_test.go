package store_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
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

// measured returns a store, the counter of its statements, and a function that reads its metrics.
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
						values[m.Name+"{"+p.Attributes.Encoded(attribute.DefaultEncoder())+"}"] = p.Value
					}
				case metricdata.Sum[float64]:
					for _, p := range data.DataPoints {
						values[m.Name] += int64(math.Round(p.Value * 1000)) // in thousandths
					}
				case metricdata.Gauge[int64]:
					for _, p := range data.DataPoints {
						values[m.Name] += p.Value
						values[m.Name+"{"+p.Attributes.Encoded(attribute.DefaultEncoder())+"}"] = p.Value
					}
				}
			}
		}
		return values
	}
}

func TestOnlyCommittedCardsCount(t *testing.T) {
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

// TestScrapesDoNotLoadTheDatabase: the backlog is counted at most every 10 seconds, however many
// scrapes there are. If the database is away, its metrics are missing and not wrong.
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

// TestReceiptsAreCountedByKindAndApartFromMessages: the receipts that wait, those that were given
// up, and each attempt by its outcome. The alerts about messages do not count them.
func TestReceiptsAreCountedByKindAndApartFromMessages(t *testing.T) {
	t.Parallel()
	f, _, read := measured(t)
	f.program = storetest.Program(t, f.Store).ID
	card := f.newCard(t)
	f.exec(t, "update gift_cards set customer_email = 'ada@example.com' where id = $1", card) // else its receipts are dropped
	storetest.AsOwner(t, f.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.SetProgram(t.Context(), f.program, func(s *store.ProgramSettings) error {
			s.Receipts = []string{store.ReceiptRedeemed, store.ReceiptReloaded}
			return nil
		})
	})
	f.exec(t, `insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, status, next_attempt_at, give_up_at, created_at)
		select $1, $2, r.kind, r.status || i, 'email', 'ada@example.com', -1, 4, r.status, now() - interval '1 hour', now() + interval '1 day', now()
		from (values ('redeemed', 'scheduled', 3), ('reloaded', 'scheduled', 1), ('activated', 'scheduled', 1), ('expiring', 'failed', 2), ('expiring', 'dropped', 1)) as r (kind, status, times),
			generate_series(1, r.times) as i`, f.program, card)
	ends := []func(context.Context, *store.Tx, *store.DueReceipt) error{
		func(ctx context.Context, tx *store.Tx, due *store.DueReceipt) error {
			return tx.EndReceipt(ctx, due, store.MessageSent, "")
		},
		func(ctx context.Context, tx *store.Tx, due *store.DueReceipt) error {
			return tx.DeferReceipt(ctx, due, "451 later")
		},
		func(ctx context.Context, tx *store.Tx, due *store.DueReceipt) error {
			return tx.LoseReceipt(ctx, due, "silence")
		},
	}
	f.exec(t, "update receipts set next_attempt_at = next_attempt_at - interval '1 hour' where kind = 'redeemed'") // they come first
	for _, end := range ends {
		var due *store.DueReceipt
		commit(t, f.Store, func(tx *store.Tx) (err error) {
			due, err = tx.ClaimReceipt(t.Context(), store.ChannelEmail)
			return err
		})
		commit(t, f.Store, func(tx *store.Tx) error { return end(t.Context(), tx, due) })
	}
	got := read()
	for name, want := range map[string]int64{
		"giftcards_receipt_attempts_total{kind=redeemed,outcome=sent}": 1, "giftcards_receipt_attempts_total{kind=redeemed,outcome=deferred}": 1,
		"giftcards_receipt_attempts_total{kind=redeemed,outcome=failed}": 1, "giftcards_receipt_attempts_total": 3,
		"giftcards_receipts_due{kind=redeemed}": 0, "giftcards_receipts_due{kind=reloaded}": 1, "giftcards_receipts_due{kind=activated}": 1,
		"giftcards_receipts_failed{kind=redeemed}": 1, "giftcards_receipts_failed{kind=expiring}": 2, "giftcards_receipts_failed{kind=activated}": 0,
		"giftcards_message_attempts_total": 0, "giftcards_messages_failed": 0, "giftcards_messages_due": 0,
	} {
		if n, told := got[name]; n != want || !told {
			t.Errorf("%s is %d, want %d (told: %t)", name, n, want, told)
		}
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"giftcards/gen/db"
)

// measureLedger publishes the entries that this process has committed. Amounts are floats, as
// in measureValue. Money onto cards and money off cards are two counters, because a counter
// must not fall.
func (s *Store) measureLedger(meter metric.Meter) error {
	entries, entriesErr := meter.Int64ObservableCounter("giftcards_ledger_entries_total",
		metric.WithDescription("Entries of the ledger, by type."))
	amounts, amountsErr := meter.Float64ObservableCounter("giftcards_ledger_amount_total",
		metric.WithDescription("Amounts of the ledger's entries, summed up, by type, onto cards (in) or off cards (out). A float, for graphs and alerts only."))
	if err := errors.Join(entriesErr, amountsErr); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	var types, in, out [len(entryTypes)]metric.MeasurementOption
	for i, name := range entryTypes {
		types[i] = metric.WithAttributeSet(labels("type", name))
		in[i] = metric.WithAttributeSet(labels("type", name, "direction", "in"))
		out[i] = metric.WithAttributeSet(labels("type", name, "direction", "out"))
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for i := range entryTypes {
			o.ObserveInt64(entries, s.counts[entriesPosted+i].Load(), types[i])
			o.ObserveFloat64(amounts, float64(s.counts[valueIn+i].Load())/valueUnits, in[i])
			o.ObserveFloat64(amounts, float64(s.counts[valueOut+i].Load())/valueUnits, out[i])
		}
		return nil
	}, entries, amounts)
	return wrap(err, "measure")
}

const (
	// balancesEvery is how long the balances of programs are cached. Summing them up reads every
	// used card, 0.6 s for 400,000 of them on two busy cores, so it is done rarely.
	balancesEvery = 10 * time.Minute
	// balancesTimeout is how long a scrape may wait for them.
	balancesTimeout = 5 * time.Second
	// balancePrograms is how many programs have a series of their own: those with the most
	// money. The others share one, so that the number of series is bounded.
	balancePrograms = 50
)

// measureBalances publishes what is on the cards of each program, whatever their state.
func (s *Store) measureBalances(meter metric.Meter) error {
	gauge, err := meter.Float64ObservableGauge("giftcards_balance",
		metric.WithDescription("The sum of the balances of a program's cards. A float, for graphs and alerts only."))
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	var last cached[[]db.SumBalancesRow]
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		programs, err := last.read(ctx, balancesEvery, balancesTimeout, s.q.SumBalances) // the largest first
		if err != nil {
			return err // no gauge is better than a wrong one
		}
		others := 0.0
		for i, p := range programs {
			if i < balancePrograms {
				o.ObserveFloat64(gauge, p.Balance.Float64(), metric.WithAttributeSet(labels("program", p.ProgramID.String())))
			} else {
				others += p.Balance.Float64()
			}
		}
		o.ObserveFloat64(gauge, others, metric.WithAttributeSet(labels("program", "others")))
		return nil
	}, gauge)
	return wrap(err, "measure")
}

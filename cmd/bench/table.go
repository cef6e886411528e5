package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// table is the result, which is printed as Markdown.
type table struct {
	machine string
	rows    []row
	growth  []growth
	creates []createGrowth
	failed  error
}

// row is a measured line.
type row struct {
	line

	ours, bare []round
}

// newTable records the machine, the date and PostgreSQL's settings.
func (b *bench) newTable(ctx context.Context) *table {
	var postgres string
	// The figures depend on the settings that make commits durable.
	err := b.db.admin.QueryRow(ctx, `
		select 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) || string_agg(', ' || name || ' ' || current_setting(name), '' order by name)
		from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'shared_buffers', 'max_wal_size')`).Scan(&postgres)
	return &table{
		failed: err,
		machine: fmt.Sprintf("%s, %d cores of %s, %s. %s. All on one machine, including the load; load average before: %s.",
			time.Now().Format(time.DateOnly), runtime.NumCPU(), cpuModel(), runtime.Version(), postgres, loadAverage()),
	}
}

// print prints all measurements and the server's peak memory.
func (t *table) print(out io.Writer, server int, runtimePeak int64) error {
	fmt.Fprintf(out, "%s\n\n", t.machine)
	if len(t.rows) > 0 {
		fmt.Fprint(out, "| line | work | floor | ours | floor | ours/floor | target | p50 | p99 | server | PostgreSQL | load |\n"+
			"|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	}
	for _, r := range t.rows {
		fmt.Fprintln(out, r)
	}
	for _, r := range t.rows {
		if r.name == "poll" {
			bare := spent(r.bare)
			fmt.Fprintf(out, "\nA request to bare echo costs %s of processor time, and %s to send.\n", microseconds(bare.server), microseconds(bare.load))
		}
	}
	peak, err := peakMemory(server)
	if err != nil {
		return err
	}
	ofRuntime := "missing in this server's metrics"
	if runtimePeak > 0 {
		ofRuntime = fmt.Sprintf("%d MiB", runtimePeak>>20)
	}
	fmt.Fprintf(out, "\nPeak memory of the server over all lines: %d MiB resident; of Go's runtime: %s (target: at most 256 MiB resident).\n", peak>>20, ofRuntime)
	if len(t.growth) > 0 {
		t.printGrowth(out)
	}
	return nil
}

// printGrowth prints the time per card, and its ratio to the least time of all sizes.
func (t *table) printGrowth(out io.Writer) {
	least := func(times func(growth) []time.Duration) time.Duration {
		return median(times(slices.MinFunc(t.growth, func(a, b growth) int { return cmp.Compare(median(times(a)), median(times(b))) })))
	}
	ours := least(func(g growth) []time.Duration { return g.ours })
	bare := least(func(g growth) []time.Duration { return g.bare })
	fmt.Fprint(out, "\n| cards before | cards of the task | ours per card | ratio to the least | floor per card | ratio to the least |\n|---:|---:|---:|---:|---:|---:|\n")
	for _, g := range t.growth {
		a, b := median(g.ours), median(g.bare)
		fmt.Fprintf(out, "| %s | %s | %s | %.2f | %s | %.2f |\n", number(float64(g.existing)), number(float64(g.task)),
			microseconds(a), float64(a)/float64(ours), microseconds(b), float64(b)/float64(bare))
	}
	fmt.Fprint(out, "\n| cards before | creates, 64 connections | floor, 32 clients | ours/floor |\n|---:|---:|---:|---:|\n")
	for _, g := range t.creates {
		ours, bare := median(rates(g.ours)), median(rates(g.bare))
		fmt.Fprintf(out, "| %s | %s/s | %s/s | %s |\n", number(float64(g.existing)), number(ours), number(bare), percent(ours/bare))
	}
}

func rates(rounds []round) (all []float64) {
	for _, r := range rounds {
		all = append(all, r.rate)
	}
	return all
}

// String returns a row of the Markdown table: the medians of all rounds, the percentiles of
// all latencies, and the processor time per request or card.
func (r row) String() string {
	var ours, bare, ratios []float64
	var latencies []time.Duration
	for i := range r.ours {
		ours, bare = append(ours, r.ours[i].rate), append(bare, r.bare[i].rate)
		// A round's two measurements are neighbours in time, so that their ratio is
		// steadier than that of the medians.
		ratios = append(ratios, r.ours[i].rate/r.bare[i].rate)
		latencies = append(latencies, r.ours[i].latencies...)
	}
	p50, p99, target := "–", "–", "–"
	if r.target > 0 {
		target = "≥ " + percent(r.target)
	}
	if len(latencies) > 0 {
		slices.Sort(latencies)
		p50, p99 = milliseconds(percentile(latencies, 50)), milliseconds(percentile(latencies, 99))
	}
	cpu := spent(r.ours)
	return "| " + strings.Join([]string{
		r.name, r.work, r.floor, number(median(ours)) + " " + r.unit, number(median(bare)) + " " + r.unit,
		percent(median(ratios)), target, p50, p99,
		microseconds(cpu.server), microseconds(cpu.postgres), microseconds(cpu.load),
	}, " | ") + " |"
}

// spent returns the processor time per request or card over all rounds.
func spent(rounds []round) (each usage) {
	var all usage
	units := 0
	for _, r := range rounds {
		all, units = all.plus(r.cpu), units+r.units
	}
	if units == 0 {
		return each
	}
	n := time.Duration(units)
	return usage{all.server / n, all.postgres / n, all.load / n}
}

// median returns the middle one of the values, or the lower one of two. It sorts a copy.
func median[T cmp.Ordered](values []T) T {
	return percentile(slices.Sorted(slices.Values(values)), 50)
}

// percentile returns the smallest of the sorted values that is greater than or equal to at least
// p percent of them.
func percentile[T any](sorted []T, p int) T {
	// Round up, so that p100 is the last value and an index is never negative.
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

var english = message.NewPrinter(language.English)

// number formats a rate or a count with commas between thousands.
func number(n float64) string { return english.Sprintf("%.0f", n) }

func percent(ratio float64) string { return fmt.Sprintf("%.0f %%", 100*ratio) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

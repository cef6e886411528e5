package main

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestPgbenchIsReadWhateverItsVersion(t *testing.T) {
	t.Parallel()
	for version, out := range map[string]string{
		"13": "number of transactions actually processed: 5214\nlatency average = 1.918 ms\ntps = 520.1 (including connections establishing)\ntps = 521.473125 (excluding connections establishing)\n",
		"15": "number of transactions actually processed: 5214\nnumber of failed transactions: 0 (0.000%)\ntps = 521.473125 (without initial connection time)\n",
	} {
		tps, processed, err := parsePgbench(out)
		if err != nil || tps != 521.473125 || processed != 5214 {
			t.Errorf("%s: %v a second, %d in all, %v", version, tps, processed, err)
		}
	}
	if _, _, err := parsePgbench("pgbench: error: client 0 aborted"); err == nil {
		t.Error("an aborted run is read")
	}
}

func TestLiteralsHoldNothingThatPgbenchReplaces(t *testing.T) {
	t.Parallel()
	if got, want := literal(`it's 12:30, \x0a`), `U&'it''s 12\003A30, \\x0a'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMedianAndPercentileAreValuesOfTheSample(t *testing.T) {
	t.Parallel()
	unsorted := []int{5, 1, 4, 2, 3}
	if got := median(unsorted); got != 3 || unsorted[0] != 5 {
		t.Errorf("median %d of %v", got, unsorted)
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for p, want := range map[int]int{50: 50, 99: 99, 100: 100, 0: 1} {
		if got := percentile(hundred, p); got != want {
			t.Errorf("percentile %d is %d", p, got)
		}
	}
	if got := percentile([]int{7}, 99); got != 7 {
		t.Errorf("of one value: %d", got)
	}
}

// TestRatioOfARowIsTheMedianOfItsRounds, and not the
// ratio of the medians.
func TestRatioOfARowIsTheMedianOfItsRounds(t *testing.T) {
	t.Parallel()
	r := row{
		line: line{name: "create", work: "create a card", floor: "pgbench", unit: "requests/s", target: 0.9},
		bare: []round{{rate: 1000}, {rate: 4000}, {rate: 2000}},
	}
	for _, rate := range []float64{900, 2000, 1400} {
		r.ours = append(r.ours, round{
			rate: rate, units: 2, latencies: []time.Duration{time.Millisecond, 2 * time.Millisecond},
			cpu: usage{server: 20 * time.Microsecond, postgres: 40 * time.Microsecond, load: 4 * time.Microsecond},
		})
	}
	want := "| create | create a card | pgbench | 1,400 requests/s | 2,000 requests/s | 70 % | ≥ 90 % | 1.00 ms | 2.00 ms | 10.0 µs | 20.0 µs | 2.0 µs |"
	if got := r.String(); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestUsageAndMemoryOfAProcessAreRead(t *testing.T) {
	t.Parallel()
	me := os.Getpid()
	for begin := time.Now(); time.Since(begin) < 5*clockTick; {
		runtime.Gosched() // keeps the processor busy
	}
	if spent, err := familyTime(me); err != nil || spent <= 0 {
		t.Errorf("used %v, %v", spent, err)
	}
	if peak, err := peakMemory(me); err != nil || peak < 1<<20 {
		t.Errorf("peak memory %d bytes, %v", peak, err)
	}
	if _, err := cpuTime(-1); err == nil {
		t.Error("no process used some time")
	}
}

func TestUnusableFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds=0"}, {"-seconds=0"}, {"-list-cards=999"}, {"-rounds=many"}, {"-nonsense"}, {"create"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, &stdout, &stderr); code != 2 || stderr.Len() == 0 {
			t.Errorf("%v: exit code %d, %q", args, code, &stderr)
		}
	}
}

func TestUnknownLineIsRefusedWithAListOfAllLines(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-only=create,nonsense"}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(stderr.String(), `"nonsense": want one of growth, create, `) {
		t.Error(&stderr)
	}
}

func TestMissingServerIsAnErrorThatSaysHowToBuildIt(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-giftcards=/nowhere/giftcards"}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(stderr.String(), "make build") {
		t.Error(&stderr)
	}
}

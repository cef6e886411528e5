package faults_test

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
	"giftcards/store/storetest/full"
)

var seed = flag.Uint64("seed", 0, "begins the dice; 0 draws one")

// TestMain prints the sum over all kinds of faults at the end.
func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64() >> 32
	}
	code := processtest.Run(m)
	if full.Asked() {
		total.print("total")
	}
	os.Exit(code)
}

// TestFaults tries every kind of fault. Without -full it tries only a part of them.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name    string
		inSlice bool
		try     func(*trial)
	}{
		{"server killed", true, killedServer},
		{"one of two servers killed", false, oneOfTwoServers},
		{"database crashed", false, crashedDatabase},
		{"connection cut at a boundary", true, cutConnections},
		{"disk full", false, fullDisk},
		{"clock jumped", false, jumpingClock},
		{"behind PgBouncer", false, transactionPooler},
		{"standby promoted", false, promotedStandby},
		{"address of a standby", false, mistakenAddress},
		{"flooded", true, floodedServer},
	} {
		if !full.Asked() && !kind.inSlice {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			kind.try(newTrial(t, kind.name))
		})
	}
}

// tally counts the faults and exceptions of one kind, or of all kinds.
type tally struct {
	faults, requests, cards, exceptions atomic.Int64
	note                                string
}

var total tally

func (c *tally) print(name string) {
	note := ""
	if c.note != "" {
		note = "  (" + c.note + ")"
	}
	fmt.Fprintf(os.Stdout, "%-34s %5d faults %7d requests %8d cards %3d exceptions  seed %d%s\n",
		name, c.faults.Load(), c.requests.Load(), c.cards.Load(), c.exceptions.Load(), *seed, note)
}

// trial is the trial of one kind of fault.
type trial struct {
	*testing.T
	tally
	*dice
	ctx       context.Context
	sabotaged bool // the test expects exceptions
}

// newTrial starts the count for a kind of fault. Its line is printed when the test ends.
func newTrial(t *testing.T, name string) *trial {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	tr := &trial{T: t, dice: newDice(name), ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() && tr.exceptions.Load() == 0 {
			tr.exceptions.Add(1) // the trial did not reach its end
		}
		total.faults.Add(tr.faults.Load())
		total.requests.Add(tr.requests.Load())
		total.cards.Add(tr.cards.Load())
		total.exceptions.Add(tr.exceptions.Load())
		if full.Asked() {
			tr.print(name)
		}
	})
	return tr
}

// exceptionf reports one violation.
func (tr *trial) exceptionf(format string, args ...any) {
	tr.Helper()
	if tr.exceptions.Add(1) <= 20 && !tr.sabotaged {
		tr.Errorf(format, args...)
	}
}

func (tr *trial) must(err error) {
	tr.Helper()
	check.Must(tr, err)
}

// dice makes random numbers from the seed. It is safe for several goroutines.
type dice struct {
	mutex sync.Mutex
	rand  *rand.Rand
}

func newDice(name string) *dice {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return &dice{rand: rand.New(rand.NewPCG(*seed, hash.Sum64()))}
}

// roll returns 0 to n-1.
func (d *dice) roll(n int) int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.rand.IntN(n)
}

// upTo returns a duration below most.
func (d *dice) upTo(most time.Duration) time.Duration { return time.Duration(d.roll(int(most))) }

func ok(address string) bool {
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(address)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

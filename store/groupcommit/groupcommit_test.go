package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"giftcards/store/groupcommit"
)

// Three callers that come while two transactions run share the third one.
func ExampleGroup() {
	proceed := make(chan struct{})
	group := groupcommit.New(groupcommit.Options[string, int]{
		Run: func(_ context.Context, names []string) ([]int, error) {
			<-proceed // begin; insert ...; commit
			fmt.Println("a transaction of", len(names))
			lengths := make([]int, len(names))
			for i, name := range names {
				lengths[i] = len(name)
			}
			return lengths, nil
		},
		RolledBack: func(error) bool { return true },
	})
	var callers sync.WaitGroup
	for i, name := range []string{"Ada", "Grace", "Edsger", "Barbara", "Tony"} {
		callers.Go(func() {
			length, err := group.Do(context.Background(), name)
			fmt.Println(name, length, err)
		})
		for group.Waiting() < i+1-groupcommit.MaxRunning { // the next one comes later
			time.Sleep(time.Millisecond)
		}
	}
	close(proceed)
	callers.Wait()
	// Unordered output:
	// a transaction of 1
	// a transaction of 1
	// a transaction of 3
	// Ada 3 <nil>
	// Grace 5 <nil>
	// Edsger 6 <nil>
	// Barbara 7 <nil>
	// Tony 4 <nil>
}

var (
	errRolledBack = errors.New("rolled back")
	errLost       = errors.New("connection lost")
)

// database is a fake that keeps the committed transactions. A transaction waits until the test
// lets the database go on.
type database struct {
	mutex        sync.Mutex
	transactions [][]int // committed ones
	bad          int     // an input that the database refuses
	lost         error   // for transactions of more than one
	goOn         chan struct{}
}

func (d *database) run(ctx context.Context, in []int) ([]int, error) {
	select {
	case <-d.goOn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if slices.Contains(in, d.bad) {
		return nil, errRolledBack
	}
	if d.lost != nil && len(in) > 1 {
		return nil, d.lost
	}
	d.transactions = append(d.transactions, slices.Clone(in))
	out := make([]int, len(in))
	for i, n := range in {
		out[i] = -n
	}
	return out, nil
}

// largest returns the number of callers in the largest transaction.
func (d *database) largest() (most int) {
	for _, inputs := range d.transactions {
		most = max(most, len(inputs))
	}
	return most
}

func (d *database) group(off bool) *groupcommit.Group[int, int] {
	d.goOn = make(chan struct{})
	return groupcommit.New(groupcommit.Options[int, int]{
		Run: d.run, RolledBack: func(err error) bool { return errors.Is(err, errRolledBack) }, Off: off,
	})
}

// result is the output or the error that one caller got.
type result struct {
	out int
	err error
}

// all lets n callers call Do with 1 to n, one after the other, and lets the database go on when
// all of them wait. The result of input i is at index i.
func all(t *testing.T, d *database, g *groupcommit.Group[int, int], n int) []result {
	t.Helper()
	results := make([]result, n+1)
	var callers sync.WaitGroup
	for i := 1; i <= n; i++ {
		callers.Go(func() { results[i].out, results[i].err = g.Do(t.Context(), i) })
		synctest.Wait()
	}
	close(d.goOn)
	callers.Wait()
	return results
}

func TestEveryCallerGetsTheOutputForItsOwnInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		for i, r := range all(t, d, d.group(false), 30)[1:] {
			if r.err != nil || r.out != -(i+1) {
				t.Errorf("input %d: %d, %v", i+1, r.out, r.err)
			}
		}
		if len(d.transactions) != 3 || d.largest() != 28 {
			t.Errorf("transactions of %v, want two of one caller and one of the 28 who queued", d.transactions)
		}
	})
}

func TestATransactionIsSharedByAtMost64Callers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		all(t, d, d.group(false), 150)
		if d.largest() != groupcommit.MaxGroup {
			t.Errorf("a transaction of %d callers, while 148 waited", d.largest())
		}
	})
}

func TestALoneCallerWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		g := d.group(false)
		close(d.goOn)
		begin := time.Now()
		if out, err := g.Do(t.Context(), 1); out != -1 || err != nil || time.Since(begin) != 0 {
			t.Errorf("%d, %v after %s, want the output at once", out, err, time.Since(begin))
		}
	})
}

func TestABadInputFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{bad: 5}
		for i, r := range all(t, d, d.group(false), 9) {
			if i > 0 && (r.err != nil) != (i == d.bad) {
				t.Errorf("input %d: %v", i, r.err)
			}
		}
	})
}

// TestAnUnknownOutcomeIsNotTriedAgain, because the transaction may have been committed.
func TestAnUnknownOutcomeIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{lost: errLost}
		for i, r := range all(t, d, d.group(false), 9) {
			if alone := i <= groupcommit.MaxRunning; i > 0 && alone != (r.err == nil) {
				t.Errorf("input %d: %v", i, r.err)
			}
		}
		if len(d.transactions) != groupcommit.MaxRunning {
			t.Errorf("%v committed, want only the callers that were alone", d.transactions)
		}
	})
}

func TestACallerThatGivesUpDoesNotEndTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		g := d.group(false)
		ctx, cancel := context.WithCancel(t.Context())
		var gaveUp error
		var callers sync.WaitGroup
		for range groupcommit.MaxRunning { // these callers give up too, while their transactions run
			callers.Go(func() { _, _ = g.Do(ctx, 1) })
		}
		synctest.Wait()
		callers.Go(func() { _, gaveUp = g.Do(ctx, 2) })
		var other result
		callers.Go(func() { other.out, other.err = g.Do(t.Context(), 3) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(gaveUp, context.Canceled) {
			t.Errorf("the caller that gave up got %v while it was queued", gaveUp)
		}
		close(d.goOn)
		callers.Wait()
		if other.out != -3 || other.err != nil {
			t.Errorf("the other caller got %d, %v", other.out, other.err)
		}
	})
}

func TestATransactionThatHangsEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		if _, err := d.group(false).Do(t.Context(), 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a transaction that hangs ended with %v", err)
		}
	})
}

func TestOffGivesEachCallerATransactionOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		all(t, d, d.group(true), 10)
		if len(d.transactions) != 10 || d.largest() != 1 {
			t.Errorf("transactions of %v, want ten of one caller", d.transactions)
		}
	})
}

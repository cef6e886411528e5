package password_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"giftcards/server/password"
)

// line is a queue whose only turn is taken. It records the order in which others get a turn.
type line struct {
	*password.Queue
	*testing.T
	leave func() // ends the turn that is taken
	wait  sync.WaitGroup
	mutex sync.Mutex
	order []string
}

// full runs a test in a synctest bubble, with a queue that has no free turn.
func full(t *testing.T, test func(*line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &line{Queue: password.NewQueue(1), T: t}
		var err error
		if l.leave, err = l.Enter(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		test(l)
	})
}

// enter adds a waiting turn behind all others.
func (l *line) enter(name string, first bool, shares ...password.Share) {
	l.wait.Go(func() {
		leave, err := l.Enter(l.Context(), first, shares...)
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if err != nil {
			name += " refused"
		} else {
			defer leave()
		}
		l.order = append(l.order, name)
	})
	synctest.Wait()
}

// run ends the first turn, so that all others run one after the other.
func (l *line) run() []string {
	l.leave()
	l.wait.Wait()
	return l.order
}

func TestTurnsThatGoFirstGetThreeOfFourTurns(t *testing.T) {
	t.Parallel()
	full(t, func(l *line) {
		for i := range 4 {
			l.enter(fmt.Sprint("other ", i), false)
		}
		for i := range 5 {
			l.enter(fmt.Sprint("first ", i), true)
		}
		want := []string{"first 0", "first 1", "first 2", "other 0", "first 3", "first 4", "other 1", "other 2", "other 3"}
		if got := l.run(); !slices.Equal(got, want) {
			l.Errorf("the order is %q, want %q", got, want)
		}
	})
}

// TestAFullQueueStillTakesTurnsThatGoFirst, up to a bound of their own.
func TestAFullQueueStillTakesTurnsThatGoFirst(t *testing.T) {
	t.Parallel()
	full(t, func(l *line) {
		for range 64 {
			l.enter("other", false)
		}
		l.enter("other", false)
		for range 64 {
			l.enter("first", true)
		}
		l.enter("first", true)
		if want := []string{"other refused", "first refused"}; !slices.Equal(l.order, want) {
			l.Errorf("%q were answered, want %q", l.order, want)
		}
		l.run()
	})
}

func TestAShareIsBoundedUntilItsTurnsEnd(t *testing.T) {
	t.Parallel()
	full(t, func(l *line) {
		user, network := password.Share{Of: "user", Most: 2}, password.Share{Of: 1, Most: 3}
		l.enter("a", false, user, network)
		l.enter("b", false, user, network)
		l.enter("c", false, user, network)
		l.enter("d", false, network)
		l.enter("e", true, network)
		l.enter("f", true, user)
		if want := []string{"c refused", "e refused", "f refused"}; !slices.Equal(l.order, want) {
			l.Errorf("%q were answered, want %q", l.order, want)
		}
		l.run()
		for range 3 { // refused and ended turns hold no place
			leave, err := l.Enter(l.Context(), false, user, network)
			if err != nil {
				l.Fatal(err)
			}
			leave()
		}
	})
}

func TestATurnThatIsGivenUpOccupiesNothing(t *testing.T) {
	t.Parallel()
	full(t, func(l *line) {
		share := password.Share{Of: "user", Most: 1}
		for range 3 {
			ended, end := context.WithCancel(l.Context())
			l.wait.Go(func() {
				if _, err := l.Enter(ended, true, share); !errors.Is(err, context.Canceled) {
					l.Errorf("%v, want %v", err, context.Canceled)
				}
			})
			synctest.Wait()
			end()
			synctest.Wait()
		}
		l.enter("last", true, share)
		if got := l.run(); !slices.Equal(got, []string{"last"}) {
			l.Errorf("%q got a turn", got)
		}
	})
}

package password

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy says that too many passwords wait to be checked, in all or for one share.
var ErrBusy = errors.New("too many passwords to check")

// Share limits the turns of one owner in a Queue, waiting and running. An owner is a user or a
// network, for example. The field Of identifies the owner by any comparable value.
type Share struct {
	Of   any
	Most int
}

const (
	// mostWaiting limits the waiting turns of each kind: those that go first, and the others.
	mostWaiting = 64
	// inARow is the number of turns that go first before one of the others begins, so that
	// the others are never shut out.
	inARow = 3
)

// Queue limits how many passwords are checked at one time, and so the memory that this
// takes. It is safe for concurrent use.
type Queue struct {
	mutex    sync.Mutex
	free     int // turns that may begin at once
	first    []*turn
	others   []*turn
	inARow   int
	occupied map[any]int // turns that wait or run, by owner
}

// A turn waits until begin is closed.
type turn struct{ begin chan struct{} }

// NewQueue returns an empty Queue in which the given number of turns run at one time.
func NewQueue(turns int) *Queue { return &Queue{free: turns, occupied: map[any]int{}} }

// Enter waits for a turn. The caller must call leave at the end of the turn. Turns that go
// first come before the others, except that each fourth turn is one of the others. Within
// each kind, the turn that has waited longest begins first. Enter fails with ErrBusy if a
// share is used up or too many turns wait, and with ctx's error if ctx ends.
func (q *Queue) Enter(ctx context.Context, first bool, shares ...Share) (leave func(), err error) {
	mine, err := q.join(first, shares)
	if err != nil {
		return nil, err
	}
	leave = func() {
		q.mutex.Lock()
		defer q.mutex.Unlock()
		q.vacate(shares)
		q.next()
	}
	select {
	case <-mine.begin:
		return leave, nil
	case <-ctx.Done():
	}
	// ctx has ended, but next may give this turn away at the same moment. Under the lock it
	// either still waits, or has begun.
	q.mutex.Lock()
	waited := q.forget(mine)
	if waited {
		q.vacate(shares)
	}
	q.mutex.Unlock()
	if !waited { // the turn has begun, so pass it on
		leave()
	}
	return nil, ctx.Err()
}

// join adds a turn, which begins at once if one is free.
func (q *Queue) join(first bool, shares []Share) (*turn, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	waiting := &q.others
	if first {
		waiting = &q.first
	}
	// Check all limits before counting, so that a refusal leaves no trace.
	for _, share := range shares {
		if q.occupied[share.Of] >= share.Most {
			return nil, ErrBusy
		}
	}
	if q.free == 0 && len(*waiting) >= mostWaiting {
		return nil, ErrBusy
	}
	for _, share := range shares {
		q.occupied[share.Of]++
	}
	mine := &turn{make(chan struct{})}
	*waiting = append(*waiting, mine)
	if q.free > 0 {
		q.free--
		q.next()
	}
	return mine, nil
}

// next begins the next waiting turn in place of one that has ended. If none waits, the place
// becomes free.
func (q *Queue) next() {
	// Called with the lock held.
	from := &q.first
	if len(q.first) == 0 || q.inARow == inARow && len(q.others) > 0 {
		from = &q.others
	}
	if len(*from) == 0 {
		q.free++
		return
	}
	q.inARow++
	if from == &q.others {
		q.inARow = 0
	}
	close((*from)[0].begin)
	*from = slices.Delete(*from, 0, 1)
}

// forget removes a waiting turn, and reports whether the turn was still waiting.
func (q *Queue) forget(mine *turn) bool {
	for _, waiting := range []*[]*turn{&q.first, &q.others} {
		if i := slices.Index(*waiting, mine); i >= 0 {
			*waiting = slices.Delete(*waiting, i, i+1)
			return true
		}
	}
	return false
}

func (q *Queue) vacate(shares []Share) {
	for _, share := range shares {
		if q.occupied[share.Of]--; q.occupied[share.Of] == 0 {
			delete(q.occupied, share.Of)
		}
	}
}

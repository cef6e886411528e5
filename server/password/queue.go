package password

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy says that too many passwords wait to be checked already, in all or of one
// share.
var ErrBusy = errors.New("too many passwords to check")

// Share bounds how many turns something may have in a Queue at a time, waiting or
// running: a user, say, or a network. Of is any comparable value.
type Share struct {
	Of   any
	Most int
}

const (
	// mostWaiting bounds how many wait of those that go first, and how many of the
	// others.
	mostWaiting = 64
	// inARow is how many go first before one of the others has a turn, so that the
	// others are never kept out.
	inARow = 3
)

// Queue bounds how many passwords are checked at a time, and with it their memory.
// It is safe for concurrent use.
type Queue struct {
	mutex    sync.Mutex
	free     int // turns
	first    []*turn
	others   []*turn
	inARow   int
	occupied map[any]int // turns that wait or run, by what shares are of
}

// A turn waits until begin is closed.
type turn struct{ begin chan struct{} }

// NewQueue returns an empty Queue with so many turns at a time.
func NewQueue(turns int) *Queue { return &Queue{free: turns, occupied: map[any]int{}} }

// Enter waits for a turn; leave must be called at its end. Turns that go first come
// before the others, except that each fourth is one of the others; of either kind the
// longest waiting comes first. It fails with ErrBusy where a share is used up or too
// many wait, and when ctx ends with its error.
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
	q.mutex.Lock()
	waited := q.forget(mine)
	if waited {
		q.vacate(shares)
	}
	q.mutex.Unlock()
	if !waited { // the turn began at the same moment: the next one gets it
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

// next gives a turn that has ended to who waits, or keeps it.
func (q *Queue) next() {
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

// forget removes a turn that waits, and reports whether it did.
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

package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// maxShare bounds how many callers share a transaction: none waits for more
	// than that many others.
	maxShare = 64
	// sharers is how many transactions of a kind are under way at a time: while one
	// waits for the disk, the next is filled.
	sharers = 2
	// shareTimeout ends a transaction that hangs; its callers may have given up before.
	shareTimeout = 30 * time.Second
)

// shared runs what concurrent callers ask for in transactions that they share:
// group commit. Who finds few under way begins one at once, alone; who does not
// waits for one to end, and then goes with all who wait by then. Nobody waits to
// fill it.
type shared[In, Out any] struct {
	// run does all of it in one transaction, or nothing.
	run func(context.Context, []In) ([]Out, error)
	off bool // each caller has a transaction of its own

	mutex    sync.Mutex
	underWay int
	waiting  []*share[In, Out]
}

type share[In, Out any] struct {
	in   In
	out  Out
	err  error
	done chan struct{}
}

// do returns once the transaction that in is part of is committed. If ctx ends
// before, what becomes of in is not known.
func (s *shared[In, Out]) do(ctx context.Context, in In) (Out, error) {
	one := &share[In, Out]{in: in, done: make(chan struct{})}
	if s.begin(one) {
		s.together(ctx, []*share[In, Out]{one})
	}
	select {
	case <-one.done:
		return one.out, one.err
	case <-ctx.Done():
		var none Out
		return none, ctx.Err()
	}
}

// begin reports whether one may begin a transaction; otherwise it waits.
func (s *shared[In, Out]) begin(one *share[In, Out]) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.off || s.underWay < sharers {
		s.underWay++
		return true
	}
	s.waiting = append(s.waiting, one)
	return false
}

// together runs all in a transaction, and has those who wait by then go on.
func (s *shared[In, Out]) together(ctx context.Context, all []*share[In, Out]) {
	ctx = context.WithoutCancel(ctx) // one caller's end is not the others'
	defer s.next(ctx)
	s.runAll(ctx, all)
}

func (s *shared[In, Out]) next(ctx context.Context) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.waiting) == 0 {
		s.underWay--
		return
	}
	all := s.waiting
	if len(all) > maxShare {
		all = all[:maxShare:maxShare]
	}
	s.waiting = s.waiting[len(all):]
	go s.together(ctx, all)
}

func (s *shared[In, Out]) runAll(ctx context.Context, all []*share[In, Out]) {
	limited, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	in := make([]In, len(all))
	for i, one := range all {
		in[i] = one.in
	}
	out, err := s.run(limited, in)
	if len(all) > 1 && nothingDone(err) { // what ails one must not fail the others
		for _, one := range all {
			s.runAll(ctx, []*share[In, Out]{one})
		}
		return
	}
	for i, one := range all {
		if one.err = err; err == nil {
			one.out = out[i]
		}
		close(one.done)
	}
}

// nothingDone reports whether err is PostgreSQL's word that it did nothing. After
// an error of the connection, its shutdown too, that is open.
func nothingDone(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR"
}

// findEach collects what a batch of queries of one row each found, nil for none.
func findEach[Row any](count int, query func(func(int, Row, error))) ([]*Row, error) {
	found := make([]*Row, count)
	var failed error
	query(func(i int, row Row, err error) {
		switch {
		case err == nil:
			found[i] = &row
		case !errors.Is(err, pgx.ErrNoRows) && failed == nil: // those after the first only echo it
			failed = err
		}
	})
	return found, failed
}

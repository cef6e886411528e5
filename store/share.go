package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
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
// each takes whoever waits at that moment, one caller if it is one. Nobody is
// kept waiting to fill it.
type shared[In, Out any] struct {
	// run does all of it in one transaction, or nothing.
	run     func(context.Context, []In) ([]Out, error)
	waiting chan *share[In, Out] // nil: nothing is shared
	closed  chan struct{}
	close   func() // waits for the transactions under way; who still waits is refused
}

type share[In, Out any] struct {
	in   In
	out  Out
	err  error
	done chan struct{}
}

func newShared[In, Out any](ctx context.Context, on bool, run func(context.Context, []In) ([]Out, error)) *shared[In, Out] {
	if !on {
		return &shared[In, Out]{run: run, close: func() {}}
	}
	s := &shared[In, Out]{run: run, waiting: make(chan *share[In, Out], maxShare), closed: make(chan struct{})}
	ctx = context.WithoutCancel(ctx) // one caller's end is not the others'
	var working sync.WaitGroup
	for range sharers {
		working.Go(func() { s.work(ctx) })
	}
	s.close = sync.OnceFunc(func() {
		close(s.closed)
		working.Wait()
	})
	return s
}

// do returns once the transaction that in is part of is committed. If ctx ends
// before, what becomes of in is not known.
func (s *shared[In, Out]) do(ctx context.Context, in In) (Out, error) {
	var none Out
	if s.waiting == nil {
		out, err := s.run(ctx, []In{in})
		if err != nil {
			return none, err
		}
		return out[0], nil
	}
	one := &share[In, Out]{in: in, done: make(chan struct{})}
	select {
	case s.waiting <- one:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-s.closed:
		return none, puddle.ErrClosedPool
	}
	select {
	case <-one.done:
		return one.out, one.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-s.closed:
		return none, puddle.ErrClosedPool
	}
}

func (s *shared[In, Out]) work(ctx context.Context) {
	for {
		select {
		case <-s.closed:
			return
		case first := <-s.waiting:
			s.runAll(ctx, s.together(first))
		}
	}
}

// together is first and who else waits at this moment.
func (s *shared[In, Out]) together(first *share[In, Out]) []*share[In, Out] {
	all := []*share[In, Out]{first}
	for len(all) < maxShare {
		select {
		case next := <-s.waiting:
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

func (s *shared[In, Out]) runAll(ctx context.Context, all []*share[In, Out]) {
	ctx, cancel := context.WithTimeout(ctx, shareTimeout)
	defer cancel()
	in := make([]In, len(all))
	for i, one := range all {
		in[i] = one.in
	}
	out, err := s.run(ctx, in)
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

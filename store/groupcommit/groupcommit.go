// Package groupcommit lets concurrent callers share a transaction, because most of the
// cost of a small transaction is its round trip and its commit.
//
// A caller that finds fewer than MaxRunning transactions running starts its own at once.
// Otherwise it queues; when a transaction ends, up to MaxGroup queued callers share the
// next one. There is no timer: a lone caller waits for nobody, and groups grow with the
// load.
package groupcommit

import (
	"context"
	"sync"
	"time"
)

const (
	// MaxGroup is the most callers that share a transaction.
	MaxGroup = 64
	// MaxRunning is the most transactions of a group that run at a time. While one waits for
	// the disk, the other sends its statement.
	MaxRunning = 2
	// timeout ends a transaction that hangs. A caller's context does not end it, because the
	// transaction belongs to all of its callers.
	timeout = 30 * time.Second
)

// Options say what a Group does.
type Options[In, Out any] struct {
	// Run does all of the inputs in one transaction, or none of them. It returns an output
	// for each input, in the same order. It must not keep the slice.
	Run func(context.Context, []In) ([]Out, error)
	// RolledBack reports whether an error of Run proves that nothing was done. If so, each
	// caller of the transaction is tried again alone. It must be false where the outcome is
	// unknown, as after a lost connection: otherwise some things are done twice.
	RolledBack func(error) bool
	// Off gives each caller a transaction of its own, at once.
	Off bool
}

// Group collects the callers of one kind of transaction. It is safe for concurrent use.
type Group[In, Out any] struct {
	options Options[In, Out]

	mutex   sync.Mutex
	running int
	queue   []*call[In, Out]
}

// call is one caller's share of a transaction.
type call[In, Out any] struct {
	in   In
	out  Out
	err  error
	done chan struct{} // closed once out or err is set
}

// New returns a Group without callers.
func New[In, Out any](o Options[In, Out]) *Group[In, Out] { return &Group[In, Out]{options: o} }

// Do returns the output for in once its transaction is committed, or the transaction's
// error. If ctx ends while in is queued, Do returns the error of ctx, and in may still be
// done.
func (g *Group[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	c := &call[In, Out]{in: in, done: make(chan struct{})}
	if g.start(c) {
		g.runThenNext(ctx, []*call[In, Out]{c})
	}
	select {
	case <-c.done:
		return c.out, c.err
	case <-ctx.Done():
		var none Out
		return none, ctx.Err()
	}
}

// Alone is Do in a transaction that in shares with nobody, and that does not wait for others. Run
// gets the values of ctx.
func (g *Group[In, Out]) Alone(ctx context.Context, in In) (Out, error) {
	c := &call[In, Out]{in: in, done: make(chan struct{})}
	g.run(context.WithoutCancel(ctx), []*call[In, Out]{c})
	return c.out, c.err
}

// Waiting returns how many callers are queued.
func (g *Group[In, Out]) Waiting() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return len(g.queue)
}

// start reports whether the caller may run its own transaction. If not, it is queued.
func (g *Group[In, Out]) start(c *call[In, Out]) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.options.Off || g.running < MaxRunning {
		g.running++
		return true
	}
	g.queue = append(g.queue, c)
	return false
}

// runThenNext runs a transaction for the calls, and then starts one for the callers that
// have queued meanwhile.
func (g *Group[In, Out]) runThenNext(ctx context.Context, calls []*call[In, Out]) {
	// A caller that gives up must not end the transaction of the others.
	ctx = context.WithoutCancel(ctx)
	defer g.next(ctx)
	g.run(ctx, calls)
}

// next passes the place of the transaction that has ended to queued callers.
func (g *Group[In, Out]) next(ctx context.Context) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.queue) == 0 {
		g.running--
		return
	}
	calls := g.queue
	if len(calls) > MaxGroup {
		// The capacity ends with the slice, so that an append cannot overwrite the queue.
		calls = calls[:MaxGroup:MaxGroup]
	}
	g.queue = g.queue[len(calls):]
	// In a goroutine, because the caller whose transaction has ended wants its answer now.
	go g.runThenNext(ctx, calls)
}

func (g *Group[In, Out]) run(ctx context.Context, calls []*call[In, Out]) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	in := make([]In, len(calls))
	for i, c := range calls {
		in[i] = c.in
	}
	out, err := g.options.Run(limited, in)
	if err != nil && len(calls) > 1 && g.options.RolledBack(err) {
		// One bad input fails the whole transaction. If each runs alone, only the bad one fails.
		for _, c := range calls {
			g.run(ctx, []*call[In, Out]{c})
		}
		return
	}
	for i, c := range calls {
		if c.err = err; err == nil {
			c.out = out[i]
		}
		close(c.done)
	}
}

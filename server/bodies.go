package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

var (
	errTooLarge       = &refusal{status: http.StatusRequestEntityTooLarge, detail: "Request body is too large"}
	errBodyIncomplete = &refusal{status: http.StatusRequestTimeout, detail: "Request body did not arrive"}
	errBusy           = &refusal{status: http.StatusServiceUnavailable, detail: "Too many large requests at once"}
)

const (
	// tinyBody is the size in bytes up to which a body reserves no memory. The limit of
	// connections is enough for such bodies.
	tinyBody = 16 << 10
	// mediumBody is the size in bytes above which bodies are served one at a time.
	mediumBody = 4 << 20
	// bodyCost is the memory of a body in multiples of its size: the text, the places of its
	// values in the text, and the values.
	bodyCost = 4
	// smallBudget is the memory in bytes of all bodies up to bodyLimit: 64 of the largest.
	smallBudget = 16 << 20
	// leastMedium is the least memory in bytes of all bodies between bodyLimit and
	// mediumBody: one of the largest for each of two merchants.
	leastMedium = 2 * bodyCost * mediumBody

	// bodyWait is the default of Options.BodyWait. It leaves most of BodyTimeout for the body
	// itself.
	bodyWait = 20 * time.Second
	// A body must arrive at leastArrival bytes a second on average, after bodyGrace. A pause
	// of bodyPause ends it, even if it came fast before.
	bodyGrace    = 5 * time.Second
	bodyPause    = 10 * time.Second
	leastArrival = 16 << 10
)

// LeastBodyBudget returns the least Options.BodyBudget, in bytes, for bulk bodies of up to
// limit bytes: room for one of them and for the smaller bodies beside it.
func LeastBodyBudget(limit int64) int64 { return limit + smallBudget + leastMedium }

// bodies is the memory for request bodies. Each class of sizes has its own part, so that no
// body waits for a larger one.
type bodies struct {
	classes  []bodyClass // the smallest first
	wait     time.Duration
	reserved atomic.Int64 // bytes, for OpenMemory
}

// bodyClass is a class of bodies by size.
type bodyClass struct {
	upTo   int64   // bytes
	memory *shares // nil if the class reserves no memory
	// oneAtATime says that memory counts bodies instead of bytes, and has room for one.
	oneAtATime bool
}

func newBodies(o Options) *bodies {
	budget, wait := o.BodyBudget, o.BodyWait
	if budget == 0 {
		budget = LeastBodyBudget(o.BulkBodyLimit)
	}
	if wait == 0 {
		wait = bodyWait
	}
	return &bodies{wait: wait, classes: []bodyClass{
		{upTo: tinyBody},
		{upTo: bodyLimit, memory: newShares(smallBudget, smallBudget/2)},
		{upTo: mediumBody, memory: newMediumShares(budget - o.BulkBodyLimit - smallBudget)},
		{upTo: math.MaxInt64, memory: newShares(1, 1), oneAtATime: true},
	}}
}

func newMediumShares(budget int64) *shares {
	budget = max(budget, leastMedium)
	return newShares(budget, budget/2)
}

// bodyRead is the reading of one body.
type bodyRead struct {
	*bodies
	merchant string // the holder of the share
	limit    int64  // bytes
	// access returns the refusal of a caller who may not send a large body.
	access func() error
	from   *arriving
	length int64    // bytes; -1 if the client does not say
	held   []func() // give the memory back
}

// release gives the body's memory back.
func (b *bodyRead) release() {
	for _, release := range b.held {
		release()
	}
}

// all reads the whole body, and reserves memory before it reads. A body of known length
// reserves all of its memory at once, because requests that hold a part and wait for the
// rest could wait for each other for ever. A body of unknown length reserves as much as
// the largest of its class, and goes through the classes in one order, for the same reason.
func (b *bodyRead) all(ctx context.Context) (body []byte, err error) {
	if b.length > b.limit {
		return nil, errTooLarge
	}
	for _, class := range b.classes {
		// A known length skips the smaller classes and reads in one step.
		if b.length > class.upTo {
			continue
		}
		if class.upTo > bodyLimit {
			// Refuse before reading, because such a caller must not take memory from others.
			if err := b.access(); err != nil {
				return nil, err
			}
		}
		most := min(class.upTo, b.limit)
		if b.length >= 0 {
			most = b.length
		}
		if err := b.reserve(ctx, class, most); err != nil {
			return nil, err
		}
		var whole bool
		body, whole, err = b.readUpTo(body, most)
		if whole || err != nil {
			return body, err
		}
	}
	return nil, errTooLarge
}

// reserve waits for the memory of a body of size bytes. It fails with errBusy.
func (b *bodyRead) reserve(ctx context.Context, class bodyClass, size int64) error {
	if class.memory == nil {
		return nil
	}
	weight := size * bodyCost
	if class.oneAtATime {
		weight = 1
	}
	// The wait has its own limit, because the request's would leave no time for the body.
	waiting, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	release, err := class.memory.take(waiting, b.merchant, weight)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errBusy
	}
	if class.oneAtATime {
		giveBack := release
		release = func() {
			runtime.GC() // otherwise the next body would need memory beside this one's garbage
			giveBack()
		}
	}
	b.reserved.Add(size * bodyCost)
	b.held = append(b.held, func() {
		b.reserved.Add(-size * bodyCost)
		release()
	})
	b.from.restart() // the wait was the server's, not the client's
	return nil
}

// readUpTo reads until the body is whole or has most bytes. The buffer grows with the bytes
// that arrive, because a client can announce a long body and send nothing.
func (b *bodyRead) readUpTo(body []byte, most int64) (_ []byte, whole bool, err error) {
	for {
		if len(body) == cap(body) {
			// Twice the buffer, from 4 KiB on, and no more than most.
			size := min(max(4<<10, 2*int64(cap(body))), max(most, int64(len(body))))
			if len(body) >= mediumBody {
				size = most // no doubling: the old half would be garbage beside the new buffer
			}
			if b.length < 0 && size == b.limit {
				size++ // room for one byte too many, which shows that the body is too large
			}
			body = append(make([]byte, 0, size), body...)
		}
		if b.length >= 0 && int64(len(body)) == b.length {
			return body, true, nil
		}
		if b.length < 0 && most < b.limit && int64(len(body)) >= most {
			return body, false, nil
		}
		n, err := b.from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > b.limit:
			return nil, false, errTooLarge
		case errors.Is(err, io.EOF) && int64(len(body)) >= b.length:
			return body, true, nil
		case err != nil:
			return nil, false, errBodyIncomplete
		}
	}
}

// arriving reads a body, and fails if the client sends too slowly.
type arriving struct {
	body       io.Reader
	controller *http.ResponseController
	start      time.Time
	read       int64
}

func newArriving(w http.ResponseWriter, r *http.Request) *arriving {
	return &arriving{body: r.Body, controller: http.NewResponseController(w), start: time.Now()}
}

// restart begins a new average rate.
func (a *arriving) restart() { a.start, a.read = time.Now(), 0 }

// Read extends the deadline in proportion to the bytes that have arrived.
func (a *arriving) Read(p []byte) (int, error) {
	now := time.Now()
	allowed := min(bodyGrace+time.Duration(a.read)*time.Second/leastArrival, now.Sub(a.start)+bodyPause, BodyTimeout)
	// An error means that there is no connection, as in tests, and so no slow client.
	_ = a.controller.SetReadDeadline(a.start.Add(allowed))
	n, err := a.body.Read(p)
	a.read += int64(n)
	return n, err
}

// end removes the deadline. net/http goes on reading to notice when the client hangs up, and
// would take the deadline for a hang-up.
func (a *arriving) end() { _ = a.controller.SetReadDeadline(time.Time{}) }

// readBody reads the body of a request. The caller must call release when the body is no
// longer needed, also after an error.
func (s *Server) readBody(c echo.Context, op operation) (body []byte, release func(), err error) {
	who := caller(c.Request().Context())
	read := &bodyRead{
		bodies: s.bodies, merchant: who.claims.Merchant, limit: op.bodyLimit, from: newArriving(c.Response(), c.Request()), length: c.Request().ContentLength,
		access: func() error {
			_, err := who.programToIssueIn()
			return err
		},
	}
	body, err = read.all(c.Request().Context())
	if err == nil {
		read.from.end()
	}
	return body, read.release, err
}

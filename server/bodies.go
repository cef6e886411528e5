package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"runtime"
	"time"

	"github.com/labstack/echo/v4"
)

var (
	errTooLarge       = &refusal{status: http.StatusRequestEntityTooLarge, detail: "Request body is too large"}
	errBodyIncomplete = &refusal{status: http.StatusRequestTimeout, detail: "Request body did not arrive"}
	errBusy           = &refusal{status: http.StatusServiceUnavailable, detail: "Too many large requests at once"}
)

const (
	// tinyBody is the size in bytes up to which a body reserves no memory, because
	// connections are bounded.
	tinyBody = 16 << 10
	// mediumBody is the size above which bodies are served one at a time.
	mediumBody = 4 << 20
	// bodyCost is how many times its size a body takes until its request is answered:
	// the text, where its values are, and the values.
	bodyCost = 4
	// smallBudget is what all bodies up to bodyLimit may take: 64 of the largest.
	smallBudget = 16 << 20
	// leastMedium is the least that the bodies between bodyLimit and mediumBody may
	// take: one of the largest for each of two merchants.
	leastMedium = 2 * bodyCost * mediumBody

	// bodyWait is how long a request waits for memory, if Options don't say. It
	// leaves most of BodyTimeout for the body.
	bodyWait = 20 * time.Second
	// A body must arrive at leastArrival bytes a second, averaged, after bodyGrace,
	// and without a pause of bodyPause, however fast it came before.
	bodyGrace    = 5 * time.Second
	bodyPause    = 10 * time.Second
	leastArrival = 16 << 10
)

// LeastBodyBudget is the least Options.BodyBudget for bulk bodies of limit bytes:
// one of them, and what smaller bodies need beside it.
func LeastBodyBudget(limit int64) int64 { return limit + smallBudget + leastMedium }

// bodies is the memory that request bodies may take. Each class of sizes has its
// own part, so that no body waits for a larger one.
type bodies struct {
	classes []bodyClass // by size
	wait    time.Duration
}

// bodyClass is the bodies of up to so many bytes.
type bodyClass struct {
	upTo   int64
	memory *shares // nil: not counted
	// oneAtATime: the class is as good as its one body.
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

// bodyRead is a body being read.
type bodyRead struct {
	*bodies
	merchant string // whose share it takes
	limit    int64
	// access refuses callers whose large bodies are not worth reading.
	access func() error
	from   *arriving
	length int64 // -1 if the client does not say
	held   []func()
}

// release gives the body's memory back.
func (b *bodyRead) release() {
	for _, release := range b.held {
		release()
	}
}

// all reads the whole body. Its memory is reserved before it is taken: for a body
// of known length at once, because requests that each hold a part and wait for the
// rest would wait for each other. A body of unknown length reserves for the largest
// of its class, and passes through the classes in one order, for the same reason.
func (b *bodyRead) all(ctx context.Context) (body []byte, err error) {
	if b.length > b.limit {
		return nil, errTooLarge
	}
	for _, class := range b.classes {
		if b.length > class.upTo {
			continue
		}
		if class.upTo > bodyLimit {
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

// reserve waits for the memory of a body of so many bytes.
func (b *bodyRead) reserve(ctx context.Context, class bodyClass, size int64) error {
	if class.memory == nil {
		return nil
	}
	weight := size * bodyCost
	if class.oneAtATime {
		weight = 1
	}
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
			runtime.GC() // or the next body comes on top of what this one leaves behind
			giveBack()
		}
	}
	b.held = append(b.held, release)
	b.from.restart() // the client could not send meanwhile
	return nil
}

// readUpTo reads on until the body is whole or has most bytes. The buffer grows with
// what arrives: what a client announces costs it nothing.
func (b *bodyRead) readUpTo(body []byte, most int64) (_ []byte, whole bool, err error) {
	for {
		if len(body) == cap(body) {
			size := min(max(4<<10, 2*int64(cap(body))), max(most, int64(len(body))))
			if len(body) >= mediumBody {
				size = most // there is one at a time, and doubling would leave as much behind
			}
			if b.length < 0 && size == b.limit {
				size++ // room for the byte too many
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

// arriving is a body that must arrive at a least rate: reading it fails when the
// client is too slow.
type arriving struct {
	body       io.Reader
	controller *http.ResponseController
	start      time.Time
	read       int64
}

func newArriving(c echo.Context) *arriving {
	return &arriving{body: c.Request().Body, controller: http.NewResponseController(c.Response()), start: time.Now()}
}

// restart begins a new average.
func (a *arriving) restart() { a.start, a.read = time.Now(), 0 }

// Read extends the deadline by what has arrived.
func (a *arriving) Read(p []byte) (int, error) {
	now := time.Now()
	allowed := min(bodyGrace+time.Duration(a.read)*time.Second/leastArrival, now.Sub(a.start)+bodyPause, BodyTimeout)
	// A writer that knows no deadlines has no connection that could be slow.
	_ = a.controller.SetReadDeadline(a.start.Add(allowed))
	n, err := a.body.Read(p)
	a.read += int64(n)
	return n, err
}

// end lifts the deadline. The server goes on reading, to see that the client hangs
// up, and would take the deadline for that.
func (a *arriving) end() { _ = a.controller.SetReadDeadline(time.Time{}) }

// readBody reads the body of a request. The caller calls release when it is done
// with the body, also after an error.
func (s *Server) readBody(c echo.Context, op operation) (body []byte, release func(), err error) {
	who := caller(c.Request().Context())
	read := &bodyRead{
		bodies: s.bodies, merchant: who.claims.Merchant, limit: op.bodyLimit, from: newArriving(c), length: c.Request().ContentLength,
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

// answerFirst has the answer to a request leave before its large body has come,
// which net/http would otherwise wait for.
func answerFirst(c echo.Context) (large bool) {
	if length := c.Request().ContentLength; length >= 0 && length <= bodyLimit {
		return false
	}
	c.Response().Header().Set("Connection", "close")
	controller := http.NewResponseController(c.Response())
	_ = controller.EnableFullDuplex() // HTTP/2 does so anyway
	_ = controller.SetReadDeadline(time.Now().Add(bodyGrace))
	return true
}

// discardBody takes in the rest of a large body after its answer, because most
// clients read no answer before they have sent all.
func (s *Server) discardBody(c echo.Context) {
	_ = http.NewResponseController(c.Response()).Flush()
	_, _ = io.Copy(io.Discard, io.LimitReader(newArriving(c), s.BulkBodyLimit))
}

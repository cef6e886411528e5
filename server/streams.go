package server

import (
	"cmp"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// Limits of the streams that are open at once. Each stream costs about 300 KB, and a query
// for each page that its client reads.
const (
	streamsOfRange   = 8  // for the same cards
	streamsOfUser    = 16 // over all of their tokens and links
	streamsOfAddress = 64
	streamsInAll     = 256
)

// streamMemory is what an open stream adds to OpenMemory, in bytes. It is several times
// what a stream holds, because each page that it reads becomes garbage at once.
const streamMemory = 4 << 20

// A client must read a stream at leastReading bytes a second on average, after
// Options.ReadingGrace, which is readingGrace if it is zero. Bytes in the system's send
// buffer count as read (see LimitConnections).
const (
	readingGrace = 10 * time.Second
	leastReading = 8 << 10
)

var errTooManyStreams = &refusal{status: http.StatusTooManyRequests, detail: "Too many downloads at once"}

// streams counts the open streams of each range of cards, user and address, and of all. The map
// holds only keys that have an open stream.
type streams struct {
	mutex sync.Mutex
	open  map[any]int
}

func newStreams() *streams { return &streams{open: map[any]int{}} }

// Keys of the map, one type for each limit.
type (
	rangeStreams   store.CardRange
	userStreams    id.ID
	addressStreams netip.Prefix
	allStreams     struct{}
)

// take counts a stream of who. Call end when the stream is over. It fails with
// errTooManyStreams, and then counts nothing.
func (s *streams) take(who *principal, cards store.CardRange) (end func(), err error) {
	bounds := map[any]int{
		rangeStreams(cards): streamsOfRange, addressStreams(network(who.client, 32, 64)): streamsOfAddress, allStreams{}: streamsInAll,
		userStreams(who.access.User.ID): streamsOfUser,
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// Check all limits before counting, so that a refusal leaves no trace.
	for key, bound := range bounds {
		if s.open[key] >= bound {
			return nil, errTooManyStreams
		}
	}
	for key := range bounds {
		s.open[key]++
	}
	return func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		for key := range bounds {
			if s.open[key]--; s.open[key] == 0 {
				delete(s.open, key)
			}
		}
	}, nil
}

// count returns how many streams are open.
func (s *streams) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.open[allStreams{}]
}

// readingClient is the client of a stream. A write fails if the client has read too slowly
// so far, or if the stream has taken streamingTimeout.
type readingClient struct {
	http.ResponseWriter

	controller *http.ResponseController
	grace      time.Duration
	start      time.Time
	written    int64
}

func newReadingClient(w http.ResponseWriter, grace time.Duration) *readingClient {
	return &readingClient{ResponseWriter: w, controller: http.NewResponseController(w), grace: cmp.Or(grace, readingGrace), start: time.Now()}
}

// Write extends the deadline in proportion to the bytes written. Its error distinguishes a
// client that hung up from a database that did.
func (w *readingClient) Write(p []byte) (int, error) {
	// The deadline counts from the start of the stream, so that a client may pause after it
	// has read fast.
	allowed := w.grace + time.Duration(w.written)*time.Second/leastReading
	if err := w.controller.SetWriteDeadline(w.start.Add(min(allowed, streamingTimeout))); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, asClientGone(err)
}

// end extends the deadline once more, because net/http still holds the last bytes.
func (w *readingClient) end() { _ = w.controller.SetWriteDeadline(time.Now().Add(w.grace)) }

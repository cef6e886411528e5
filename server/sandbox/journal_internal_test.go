package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/storetest/check"
)

// held returns the bytes that the records really hold, and checks that each record is in the
// right lists.
func (j *journal) held(t *testing.T) (bytes int64) {
	t.Helper()
	j.mutex.Lock()
	defer j.mutex.Unlock()
	n, inWorlds := j.records.Len(), 0
	for merchant, world := range j.worlds {
		inWorlds += world.Len()
		if world.Len() == 0 || world.Len() > requestsOfWorld {
			t.Errorf("%d records of %q", world.Len(), merchant)
		}
	}
	if n != inWorlds {
		t.Errorf("%d records, and %d in worlds", n, inWorlds)
	}
	for at := j.records.Front(); at != nil; at = at.Next() {
		r := at.Value.(*record)
		bytes += recordCost + int64(len(r.path)+sizeOf(r.sent.headers)+sizeOf(r.answered.headers)+cap(r.sent.body)+cap(r.answered.body))
	}
	if bytes != j.size {
		t.Errorf("the records hold %d bytes, and %d are counted", bytes, j.size)
	}
	if j.size > j.budget {
		t.Errorf("%d bytes, and the budget is %d", j.size, j.budget)
	}
	return bytes
}

// bare is a sandbox that has only what the journal needs.
func bare(t *testing.T, next http.Handler) *Sandbox {
	t.Helper()
	keys, err := keyring.OpenOrCreate(filepath.Join(t.TempDir(), "keys.json"))
	check.Must(t, err)
	operations, err := newOperations("http://sandbox.example")
	check.Must(t, err)
	return &Sandbox{Options: Options{Next: next, Keys: keys, Logger: slog.New(slog.DiscardHandler)}, operations: operations, journal: newJournal(journalBudget)}
}

func tokenOf(t *testing.T, s *Sandbox, merchant string) string {
	t.Helper()
	token, err := s.Keys.SignToken(keyring.Claims{Subject: "user", ID: "token", Merchant: merchant, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	check.Must(t, err)
	return token
}

// TestTheJournalStaysWithinItsBudget while 100 MB of request bodies and 100 MB of answers are
// under way at once, in the worlds of ten merchants.
func TestTheJournalStaysWithinItsBudget(t *testing.T) {
	t.Parallel()
	const requests, size = 3200, 32 << 10
	part := bytes.Repeat([]byte("x"), 4<<10)
	var arrived sync.WaitGroup
	arrived.Add(requests)
	leave := make(chan struct{})
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 4<<10))
		for range size / len(part) {
			_, _ = w.Write(part)
		}
		arrived.Done()
		<-leave
	})
	s := bare(t, next)
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	var done sync.WaitGroup
	for i := range requests {
		token := tokenOf(t, s, fmt.Sprintf("%024d", i%10))
		done.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/v2/giftcards/programs/5eb7cf5a86d9755df3a6c593/cards", io.LimitReader(endless{}, size))
			r.Header.Set("Authorization", "Bearer "+token)
			s.record(nowhere{http.Header{}}, r, operation{}, next)
		})
	}
	arrived.Wait()
	s.journal.held(t)
	runtime.GC()
	runtime.ReadMemStats(&during)
	// Each request also holds up to 12 KiB beside the journal, mostly in buffers of 4 KiB.
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > journalBudget+requests*(12<<10) {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	close(leave)
	done.Wait()
	if held := s.journal.held(t); held < journalBudget*9/10 {
		t.Errorf("only %d bytes are held", held)
	}
	// The newest are kept.
	newest := s.journal.matching(requestFilter{limit: 1})[0]
	if newest.number != s.journal.last {
		t.Errorf("the newest record is %d, and the last one was %d", newest.number, s.journal.last)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// nowhere discards an answer.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// TestAWorldKeepsItsLastThousandRequests, and they push out no requests of other worlds.
func TestAWorldKeepsItsLastThousandRequests(t *testing.T) {
	t.Parallel()
	s := bare(t, nil)
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	one, other := id.New(time.Now()).String(), id.New(time.Now()).String()
	send := func(merchant, path string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if merchant != "" {
			r.Header.Set("Authorization", "Bearer "+tokenOf(t, s, merchant))
		}
		s.record(nowhere{http.Header{}}, r, operation{}, next)
	}
	send(other, "/other")
	send("", "/none")
	for i := range requestsOfWorld + 50 {
		send(one, fmt.Sprintf("/%d", i))
	}
	s.journal.held(t)
	of := func(merchant string) []*record {
		return s.journal.matching(requestFilter{merchants: []string{merchant}, limit: 2 * requestsOfWorld})
	}
	if got := of(one); len(got) != requestsOfWorld || got[0].path != "/1049" || got[len(got)-1].path != "/50" {
		t.Errorf("%d requests, from %s to %s", len(got), got[0].path, got[len(got)-1].path)
	}
	if len(of(other)) != 1 || len(of("")) != 1 {
		t.Errorf("%d of another world, and %d of none", len(of(other)), len(of("")))
	}
	s.journal.forget(one)
	s.journal.held(t)
	if len(of(one)) != 0 || s.journal.records.Len() != 2 {
		t.Errorf("%d and %d are left", len(of(one)), s.journal.records.Len())
	}
}

// TestARequestHoldsNoMoreThanItsShare, whatever it sends: long paths, many headers, a body and
// an answer of any length.
func TestARequestHoldsNoMoreThanItsShare(t *testing.T) {
	t.Parallel()
	s := bare(t, nil)
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 1000 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("v", 100))
		}
		_, _ = io.Copy(w, r.Body)
	})
	r := httptest.NewRequest(http.MethodPost, "/v2/"+strings.Repeat("p", 10_000)+"?q="+strings.Repeat("q", 10_000), io.LimitReader(endless{}, 1<<20))
	for i := range 1000 {
		r.Header.Set(fmt.Sprintf("X-%d", i), strings.Repeat("v", 100))
	}
	s.record(nowhere{http.Header{}}, r, operation{}, next)
	const share = recordCost + keptOfPath + 2*keptOfHeaders + 2*keptOfBody
	if held := s.journal.held(t); held > share || held < share-2*200 {
		t.Errorf("%d bytes are held, and the share is %d", held, share)
	}
	shown, ok := s.journal.matching(requestFilter{limit: 1})[0].show()
	if !ok || !shown.PathCut || !shown.Request.HeadersCut || !shown.Request.BodyCut || !shown.Answer.HeadersCut || !shown.Answer.BodyCut ||
		shown.Request.BodyBytes != 1<<20 || shown.Answer.BodyBytes != 1<<20 || len(shown.Path) != keptOfPath {
		t.Errorf("shown: %v %v %d of %d bytes", ok, shown.PathCut, len(*shown.Request.Body), shown.Request.BodyBytes)
	}
}

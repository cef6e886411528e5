package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
)

// sending is a request whose body a test sends piece by piece.
type sending struct {
	t    *testing.T
	conn net.Conn
}

// begin sends the headers of a bulk request with a token. A length of -1 means chunks.
func begin(t *testing.T, s *servertest.Server, path, token string, length int) *sending {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	size := fmt.Sprintf("Content-Length: %d", length)
	if length < 0 {
		size = "Transfer-Encoding: chunked"
	}
	r := &sending{t: t, conn: conn}
	r.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n", path, token, size))
	return r
}

func (r *sending) send(text string) {
	r.t.Helper()
	_, err := io.WriteString(r.conn, text)
	must(r.t, err)
}

func (r *sending) chunk(text string) { r.send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text)) }

// answer waits for the answer. It fails after a minute.
func (r *sending) answer() servertest.Answer {
	r.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil {
		r.t.Errorf("no answer: %v", err)
		return servertest.Answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(r.t, err)
	if response.Close { // net/http removes the header Connection and sets this
		response.Header.Set("Connection", "close")
	}
	return servertest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

// bulkBody returns a request for count cards in the given number of bytes.
func bulkBody(size int, count string) string {
	begin, end := `{"initialValue": 5, "count": `+count+`, "padding": "`, `"}`
	return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
}

const (
	inMedium = 1_500_000 // bytes of a body in the size class below 4 MiB
	inLarge  = 5 << 20   // bytes of a body in the size class above it
)

// idle begins requests that never send their bodies.
func idle(t *testing.T, s *servertest.Server, m *servertest.Merchant, count, size int) {
	t.Helper()
	for range count {
		begin(t, s, m.Cards()+"/bulk", m.Token, size)
	}
}

// TestAMerchantsIdleConnectionsKeepNobodyElseOut: bodies that are announced and never sent use at
// most the share of that merchant.
func TestAMerchantsIdleConnectionsKeepNobodyElseOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		idleSize, size    int
		idle, alsoChunked int
	}{
		{name: "small", idle: 70, idleSize: 64 << 10, size: 60 << 10},
		{name: "medium", idle: 10, idleSize: inMedium, size: inMedium},
		{name: "medium, in chunks", alsoChunked: 3, size: inMedium},
		{name: "large", idle: 2, idleSize: 64 << 20, size: inMedium},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			attacker, victim := s.Merchant(), s.Merchant()
			idle(t, s, attacker, c.idle, c.idleSize)
			for range c.alsoChunked {
				begin(t, s, attacker.Cards()+"/bulk", attacker.Token, -1).chunk(bulkBody(100<<10, "1"))
			}
			for range 3 {
				answer := victim.Do(http.MethodPost, victim.Cards()+"/bulk", jsonHeader, []byte(bulkBody(c.size, "1")))
				if answer.Status != http.StatusCreated {
					t.Errorf("another merchant's request: %d %.200s", answer.Status, answer.Body)
				}
			}
		})
	}
}

// TestALargeBodyThatWaitsForLongIsTurnedAway with a 503 that says when to come back. Smaller bodies
// do not wait behind it.
func TestALargeBodyThatWaitsForLongIsTurnedAway(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BodyWait = 10 * time.Millisecond })
	m := s.Merchant()
	path := m.Cards() + "/bulk"
	body := bulkBody(inLarge, "1")
	first := begin(t, s, path, m.Token, len(body))
	first.send(body[:len(body)-1]) // more than all buffers on the way hold, so the server has begun to read it
	answer := m.Do(http.MethodPost, path, jsonHeader, []byte(body))
	wantDetail(t, "the second", answer, http.StatusServiceUnavailable, "Too many large requests at once")
	if answer.Header.Get("Retry-After") == "" {
		t.Error("the second: no Retry-After")
	}
	if answer := m.Do(http.MethodPost, path, jsonHeader, []byte(bulkBody(inMedium, "1"))); answer.Status != http.StatusCreated {
		t.Errorf("a smaller one: %d %.200s", answer.Status, answer.Body)
	}
	first.send(body[len(body)-1:])
	if answer := first.answer(); answer.Status != http.StatusCreated {
		t.Errorf("the first: %d %.200s", answer.Status, answer.Body)
	}
}

// TestABodyGivesItsMemoryBack, however the request ends: there is room for one large body, and the
// next one gets it.
func TestABodyGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.Jobs = nil })
	m := s.Merchant()
	path := m.Cards() + "/bulk"
	do := func(body string, want int) func() {
		return func() {
			if answer := m.Do(http.MethodPost, path, jsonHeader, []byte(body)); answer.Status != want {
				t.Errorf("answer %d %.200s, want %d", answer.Status, answer.Body, want)
			}
		}
	}
	hangUp := func(length int) func() {
		return func() {
			r := begin(t, s, path, m.Token, length)
			if length < 0 {
				r.chunk(bulkBody(inLarge, "1"))
			} else {
				r.send(bulkBody(length, "1")[:length-1])
			}
			must(t, r.conn.Close())
		}
	}
	for _, c := range []struct {
		name string
		end  func()
	}{
		{"refused", do(bulkBody(inLarge, "-1"), http.StatusUnprocessableEntity)},
		{"not JSON", do(strings.Repeat("[", inLarge), http.StatusUnprocessableEntity)},
		{"panicked", do(bulkBody(inLarge, "51"), http.StatusInternalServerError)}, // the server has no jobs
		{"hung up", hangUp(inLarge)},
		{"hung up in a chunk", hangUp(-1)},
	} {
		c.end()
		t.Logf("the next one after: %s", c.name)
		do(bulkBody(inLarge, "1"), http.StatusCreated)()
	}
}

// TestAccessIsJudgedBeforeALargeBodyComes. A small body is judged before the access.
func TestAccessIsJudgedBeforeALargeBodyComes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner, stranger := s.Merchant(), s.Merchant()
	reader := mint(t, s, userAs(t, s, owner.ID, store.RoleReader), owner.ID)
	nowhere := strings.Replace(owner.Cards(), owner.ProgramID, strings.Repeat("0", 24), 1)
	for _, c := range []struct {
		name, path, token string
		status            int
		detail            string
	}{
		{"no token", owner.Cards(), "", http.StatusUnauthorized, "Not authenticated"},
		{"a bad token", owner.Cards(), "x.y.z", http.StatusUnauthorized, "Could not validate credentials"},
		{"a reader", owner.Cards(), reader, http.StatusForbidden, "User may not issue gift cards"},
		{"another merchant", owner.Cards(), stranger.Token, http.StatusForbidden, "Program belongs to another merchant"},
		{"no such program", nowhere, owner.Token, http.StatusNotFound, "Program not found"},
	} {
		for _, length := range []int{65<<10 + 1, 200 << 10, inMedium, 64 << 20} {
			wantDetail(t, fmt.Sprintf("%s, %d bytes that do not come", c.name, length),
				begin(t, s, c.path+"/bulk", c.token, length).answer(), c.status, c.detail)
		}
		if c.status == http.StatusUnauthorized {
			continue
		}
		chunked := begin(t, s, c.path+"/bulk", c.token, -1)
		chunked.chunk(strings.Repeat(" ", 65<<10))
		wantDetail(t, c.name+", in chunks", chunked.answer(), c.status, c.detail)

		small := begin(t, s, c.path+"/bulk", c.token, 2)
		small.send("{}")
		if answer := small.answer(); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s, a small body: %d %.200s", c.name, answer.Status, answer.Body)
		}
	}
}

// TestAClientThatSendsAllBeforeItReadsGetsItsAnswer: the server answers before the body has
// arrived, and does not close the connection while the client still sends.
func TestAClientThatSendsAllBeforeItReadsGetsItsAnswer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner, stranger := s.Merchant(), s.Merchant()
	body := bulkBody(10<<20, "1")
	r := begin(t, s, owner.Cards()+"/bulk", stranger.Token, len(body))
	r.send(body)
	wantDetail(t, "a stranger", r.answer(), http.StatusForbidden, "Program belongs to another merchant")
}

// TestABodyThatComesTooSlowlyIsGivenUp with 408 and a closed connection, long before BodyTimeout.
func TestABodyThatComesTooSlowlyIsGivenUp(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	var all sync.WaitGroup
	for _, size := range []int{200, 60 << 10, inMedium, inLarge} {
		all.Go(func() {
			r := begin(t, s, m.Cards()+"/bulk", m.Token, size)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for ctx.Err() == nil {
					if _, err := io.WriteString(r.conn, " "); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			answer := r.answer()
			wantDetail(t, fmt.Sprintf("%d bytes, a few a second", size), answer, http.StatusRequestTimeout, "Request body did not arrive")
			if answer.Header.Get("Connection") != "close" {
				t.Errorf("%d bytes: the connection is kept", size)
			}
		})
	}
	all.Wait()
}

// TestASteadyBodyIsNotCutOff, although it takes longer than the grace period.
func TestASteadyBodyIsNotCutOff(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	body := []byte(bulkBody(400<<10, "1"))
	r := begin(t, s, m.Cards()+"/bulk", m.Token, len(body))
	for piece := range slices.Chunk(body, len(body)/15) {
		r.send(string(piece))
		time.Sleep(400 * time.Millisecond)
	}
	if answer := r.answer(); answer.Status != http.StatusCreated {
		t.Errorf("%d %.200s", answer.Status, answer.Body)
	}
}

func TestBodiesThatNobodyWantsAreNotRead(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/healthz", strings.NewReader(strings.Repeat("x", 70_000)))
	if err != nil {
		t.Fatal(err)
	}
	if answer := s.Send(r); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

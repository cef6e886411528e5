package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

// smallReadBuffer makes connections with a small read buffer, so that the client's system reads
// little ahead. The buffer is set before the connection is made, because TCP never takes back a
// window that it has offered.
var smallReadBuffer = &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
	var err error
	return errors.Join(c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) }), err)
}}

// openStream requests a list of cards and reads only the headers of the answer.
func openStream(t *testing.T, s *servertest.Server, path, token, address string) (int, net.Conn) {
	t.Helper()
	conn, err := smallReadBuffer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX-Forwarded-For: %s\r\n\r\n", path, token, address)
	must(t, err)
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 64), nil)
	must(t, err)
	return response.StatusCode, conn
}

// TestStreamsAtOnceAreBounded by batch, user and address. A further stream gets 429 until another
// one ends. A refused download leaves no audit entry.
func TestStreamsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		bound         int
		poll          bool
		users         int  // their batches are requested in turn
		batches       int  // for each user
		sameAddresses bool // false: each stream has another address
	}{
		{name: "a link", bound: 8, users: 1, batches: 1},
		{name: "a user", bound: 16, users: 1, batches: 3, poll: true},
		{name: "a user's links", bound: 16, users: 1, batches: 3},
		{name: "an address", bound: 64, users: 5, batches: 2, sameAddresses: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The first streams must still be open when the last one opens, also on a slow machine.
			s := servertest.New(t, trustHere, func(o *server.Options) { o.BulkThreshold, o.ReadingGrace = 0, time.Minute })
			useSmallBuffers(t, s)
			m := s.Merchant()
			paths := streamPaths(t, m, c.batches, 2_000, c.poll)
			for range c.users - 1 {
				paths = append(paths, streamPaths(t, s.Merchant(), c.batches, 2_000, c.poll)...)
			}
			address := func(i int) string {
				if c.sameAddresses {
					return "192.0.2.1"
				}
				return fmt.Sprintf("192.0.2.%d", i+1)
			}
			var conns []net.Conn
			for i := range c.bound {
				status, conn := openStream(t, s, paths[i%len(paths)], m.Token, address(i))
				if status != http.StatusOK {
					t.Fatalf("stream %d: %d", i, status)
				}
				conns = append(conns, conn)
			}
			before := downloadsAudited(t, s)
			answer := from(t, s, address(c.bound), http.MethodGet, paths[0], m.Token, "")
			wantDetail(t, "one more", answer, http.StatusTooManyRequests, "Too many downloads at once")
			if answer.Header.Get("Retry-After") == "" || answer.Header.Get("Content-Disposition") != "" {
				t.Errorf("one more: headers %v", answer.Header)
			}
			if after := downloadsAudited(t, s); after != before {
				t.Errorf("%d entries in the audit log for what was turned away", after-before)
			}
			for _, conn := range conns {
				_ = conn.Close()
			}
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				status, conn := openStream(t, s, paths[0], m.Token, address(0))
				_ = conn.Close()
				if status == http.StatusOK {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("after all have ended: %d", status)
				}
			}
		})
	}
}

// streamPaths returns polls or downloads of batches of cards. The batches must be larger than
// all buffers on the way, so that a client that does not read keeps the stream open.
func streamPaths(t *testing.T, m *servertest.Merchant, batches, cards int, poll bool) (paths []string) {
	t.Helper()
	for range batches {
		task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &cards}).JSON202.TaskId
		link := *pollToEnd(t, m, task).CsvDownloadUrl
		_, path, _ := strings.Cut(strings.TrimPrefix(link, "http://"), "/")
		path = "/" + path
		if poll {
			path = m.Cards() + "/bulk/" + task
		}
		paths = append(paths, path)
	}
	return paths
}

func downloadsAudited(t *testing.T, s *servertest.Server) (entries int) {
	t.Helper()
	must(t, s.Store.Pool().QueryRow(t.Context(), "select count(*) from audit_log where operation = 'downloadGiftCards'").Scan(&entries))
	return entries
}

// smallBuffers gives each connection small buffers, so that the server notices a slow reader
// soon.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return conn, err
}

// useSmallBuffers starts the server on a new address, where connections have small buffers.
func useSmallBuffers(t *testing.T, s *servertest.Server) {
	t.Helper()
	front := httptest.NewUnstartedServer(s.Handler)
	front.Listener = smallBuffers{front.Listener}
	front.Config.WriteTimeout = time.Second
	front.Start()
	t.Cleanup(front.Close)
	s.URL = front.URL
}

// TestASlowReaderOfAStreamIsCutOff. A client that reads twice as fast as it must is not cut off.
func TestASlowReaderOfAStreamIsCutOff(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkThreshold, o.ReadingGrace = 0, 2*time.Second })
	m := s.Merchant()
	path := streamPaths(t, m, 1, 12_000, false)[0]
	useSmallBuffers(t, s)

	_, fast := openStream(t, s, path, "", "")
	_, slow := openStream(t, s, path, "", "")
	cut := func() bool { return strings.Contains(s.Log.String(), "answer broken off") }
	buffer := make([]byte, 4<<10)
	for reads := 0; reads < 16 || !cut(); reads++ { // takes longer than the grace period
		if reads == 240 {
			t.Fatal("a minute has passed without the end of a stream that nobody reads")
		}
		_, err := io.ReadFull(fast, buffer)
		must(t, err)
		time.Sleep(250 * time.Millisecond)
	}
	if rest, _ := io.ReadAll(slow); strings.Contains(string(rest), "\r\n0\r\n") {
		t.Error("the stream that nobody read came to its end")
	}
}

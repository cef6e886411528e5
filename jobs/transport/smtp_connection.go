package transport

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// idleTime is the time that an unused connection is kept. Servers close theirs after
// minutes.
const idleTime = 5 * time.Second

// connection is a session with the server after its greeting.
type connection struct {
	*smtp.Client
	net   *boundedConn
	since time.Time   // unused since
	whole atomic.Bool // the server has the whole mail and has not answered yet
}

// boundedConn reads at most left bytes, because the SMTP client would read a line of any
// length into memory.
type boundedConn struct {
	net.Conn
	left int
}

// maxAnswers bounds a server's answers during one mail, in bytes.
const maxAnswers = 256 << 10

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the server's answers are too long")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// hurry ends a mail at once, or after AnswerGrace if the server has the whole mail.
func (c *connection) hurry(deadline time.Time) {
	end := time.Now()
	if c.whole.Load() {
		end = end.Add(AnswerGrace)
	}
	if end.Before(deadline) {
		_ = c.net.SetDeadline(end)
	}
}

func (s *SMTP) take() *connection {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return nil
	}
	c := s.idle[last]
	s.idle = s.idle[:last]
	return c
}

// keep stores a connection for the next mail.
func (s *SMTP) keep(c *connection) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		go hangUp(c)
		return
	}
	c.since = time.Now()
	s.idle = append(s.idle, c)
	time.AfterFunc(idleTime, s.drop)
}

// drop hangs up connections that were unused for idleTime. They are the first ones, because
// take returns the last.
func (s *SMTP) drop() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for len(s.idle) > 0 && (s.closed || time.Since(s.idle[0].since) >= idleTime) {
		go hangUp(s.idle[0])
		s.idle = s.idle[1:]
	}
}

// Close hangs up idle connections. A busy one hangs up after its mail.
func (s *SMTP) Close() {
	s.mutex.Lock()
	s.closed = true
	s.mutex.Unlock()
	s.drop()
}

func hangUp(c *connection) {
	_ = c.net.SetDeadline(time.Now().Add(time.Second))
	_ = c.Quit()
	_ = c.net.Close()
}

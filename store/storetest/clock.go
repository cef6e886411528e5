package storetest

import (
	"bytes"
	"sync"
	"time"

	"giftcards/store"
)

// Lifetimes are a server's default lifetimes.
var Lifetimes = store.Lifetimes{
	Keys: 30 * 24 * time.Hour, Tasks: 30 * 24 * time.Hour, Messages: 90 * 24 * time.Hour, Audit: 400 * 24 * time.Hour,
}

// Clock is a clock for tests. It shows the real time until Stop, and Move moves it.
type Clock struct {
	mutex   sync.Mutex
	moved   time.Duration
	stopped time.Time
}

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.moved)
	}
	return time.Now().Add(c.moved)
}

// Stop stops the clock. After that only Move changes its time.
func (c *Clock) Stop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped = time.Now()
}

// StopAt stops the clock at a time. After that only Move changes its time.
func (c *Clock) StopAt(now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped, c.moved = now, 0
}

// Move moves the clock by the duration, which may be negative.
func (c *Clock) Move(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.moved += by
}

// Log is a writer that keeps everything. It is safe for concurrent use.
type Log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

// String returns the log so far.
func (l *Log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

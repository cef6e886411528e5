package storetest

import (
	"bytes"
	"sync"
	"time"

	"giftcards/store"
)

// Lifetimes are the lifetimes of a server with default settings.
var Lifetimes = store.Lifetimes{
	Keys: 30 * 24 * time.Hour, Tasks: 30 * 24 * time.Hour, Messages: 90 * 24 * time.Hour, Audit: 400 * 24 * time.Hour,
}

// Clock is the real time, shifted, or a time that stands still.
type Clock struct {
	mutex   sync.Mutex
	moved   time.Duration
	stopped time.Time
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.moved)
	}
	return time.Now().Add(c.moved)
}

// Stop makes the time stand still; from now on only Move moves it.
func (c *Clock) Stop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped = time.Now()
}

// Move moves the clock, back if by is negative.
func (c *Clock) Move(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.moved += by
}

// Log keeps everything that is written to it.
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

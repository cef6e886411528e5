package storetest

import (
	"bytes"
	"sync"
	"time"

	"giftcards/store"
)

// Lifetimes are those of a server without settings.
var Lifetimes = store.Lifetimes{
	Keys: 30 * 24 * time.Hour, Tasks: 30 * 24 * time.Hour, Messages: 90 * 24 * time.Hour, Audit: 400 * 24 * time.Hour,
}

// Clock is the real time, moved, or a time that stands still.
type Clock struct {
	mutex   sync.Mutex
	moved   time.Duration
	stopped time.Time
}

// Now is the time of the store.
func (c *Clock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.moved)
	}
	return time.Now().Add(c.moved)
}

// Stop makes the time stand still, from now on only Move moves it.
func (c *Clock) Stop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped = time.Now()
}

// StopAt makes the time stand still at now, from now on only Move moves it.
func (c *Clock) StopAt(now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped, c.moved = now, 0
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

// String is the log so far.
func (l *Log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

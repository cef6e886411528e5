// Package ratelimit limits how often something happens under a key, for one process and in
// bounded memory. It must not know what a key stands for, nor how a refusal is answered.
package ratelimit

import (
	"container/heap"
	"sync"
	"time"
)

// Limiter grants each key a quota, which can be used at once and comes back evenly over a
// window. It is safe for concurrent use. A nil Limiter grants everything.
type Limiter[K comparable] struct {
	window int64 // nanoseconds
	every  int64 // nanoseconds until one of the quota comes back
	keys   int

	mutex   sync.Mutex
	buckets map[K]*bucket[K]
	queue   queue[K]  // the same buckets, the one that may be full first at the front
	rest    bucket[K] // shared by all keys that have no bucket of their own
}

// A bucket holds the time at which it will be full again, in nanoseconds since
// 1970: the generic cell rate algorithm, which needs no other state.
type bucket[K comparable] struct {
	key  K
	full int64
	due  int64 // its place in the queue: the value of full when the queue was last put in order
}

// New returns a Limiter that remembers the given number of keys. It forgets a key only when
// the key's quota is whole again, so forgetting changes nothing for that key. While all
// remembered keys have used some of their quota, all other keys share one quota. quota and
// keys must be 1 at least.
func New[K comparable](quota int, window time.Duration, keys int) *Limiter[K] {
	if quota < 1 || keys < 1 {
		panic("ratelimit: quota and keys must be 1 at least")
	}
	return &Limiter[K]{
		window: int64(window), every: max(1, int64(window)/int64(quota)), keys: keys, buckets: map[K]*bucket[K]{},
	}
}

// Taken is the answer to Take.
type Taken struct {
	OK   bool
	Left int // what is left of the quota
	// Wait is the time until the quota is whole or, after a refusal, until one can be taken
	// again.
	Wait time.Duration
}

// Take takes one of the key's quota. Taken.OK is false if nothing is left.
func (l *Limiter[K]) Take(key K, now time.Time) Taken {
	return l.look(key, now, true)
}

// Look answers as Take would, and takes nothing.
func (l *Limiter[K]) Look(key K, now time.Time) Taken {
	return l.look(key, now, false)
}

func (l *Limiter[K]) look(key K, now time.Time, take bool) Taken {
	if l == nil {
		return Taken{OK: true}
	}
	t := now.UnixNano()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		b = l.add(key, t)
	}
	// An empty bucket is full again after a window. A later time comes from a clock that was
	// set back.
	b.full = min(b.full, t+l.window)
	// Each Take moves the time of the full bucket by one interval. A Take that would move it
	// beyond a window from now finds the bucket empty.
	next := max(b.full, t) + l.every
	spare := t + l.window - next
	if spare < 0 {
		return Taken{Wait: time.Duration(-spare)}
	}
	if take {
		b.full = next
	}
	return Taken{OK: true, Left: int(spare / l.every), Wait: time.Duration(next - t)}
}

// GiveBack undoes a granted Take of the key. It does nothing for a key that is not
// remembered.
func (l *Limiter[K]) GiveBack(key K) {
	if l == nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if b, ok := l.buckets[key]; ok {
		b.full -= l.every
	}
}

// add returns a bucket for a new key: a new one, or the place of a key whose quota is whole,
// or the bucket that all further keys share.
func (l *Limiter[K]) add(key K, now int64) *bucket[K] {
	if len(l.buckets) < l.keys {
		b := &bucket[K]{key: key, full: now, due: now}
		l.buckets[key] = b
		heap.Push(&l.queue, b)
		return b
	}
	// A bucket that is due later than any empty one comes from before the clock was set back,
	// so it is looked at too.
	for l.queue[0].due <= now || l.queue[0].due > now+l.window {
		b := l.queue[0]
		if b.full = min(b.full, now+l.window); b.full > now {
			// The bucket was used after it got this place in the queue. Moving it only here, and
			// not at each use, saves known keys the work on the heap.
			b.due = b.full
			heap.Fix(&l.queue, 0)
			continue
		}
		delete(l.buckets, b.key)
		*b = bucket[K]{key: key, full: now, due: now}
		l.buckets[key] = b
		heap.Fix(&l.queue, 0)
		return b
	}
	return &l.rest
}

// queue is a heap of buckets. The first one is due first.
type queue[K comparable] []*bucket[K]

func (q queue[K]) Len() int           { return len(q) }
func (q queue[K]) Less(i, j int) bool { return q[i].due < q[j].due }
func (q queue[K]) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue[K]) Push(b any)        { *q = append(*q, b.(*bucket[K])) }
func (q *queue[K]) Pop() any          { panic("a bucket never leaves the queue") }

// Package ratelimit counts what happens under a key, for one process and in
// bounded memory. It must not know what a key stands for, nor how a refusal is
// answered.
package ratelimit

import (
	"container/heap"
	"sync"
	"time"
)

// Limiter grants each key a quota at once, which comes back evenly over a window.
// It is safe for concurrent use. Of a nil Limiter everything is granted.
type Limiter[K comparable] struct {
	window int64 // nanoseconds
	every  int64 // nanoseconds until one of the quota comes back
	keys   int

	mutex   sync.Mutex
	buckets map[K]*bucket[K]
	queue   queue[K] // the same buckets, by when it is worth looking at each
	rest    bucket[K]
}

// A bucket holds the time at which it will be full again, in nanoseconds since
// 1970: the generic cell rate algorithm, which needs no other state.
type bucket[K comparable] struct {
	key  K
	full int64
	due  int64 // its place in the queue: full, as it was when the queue was last put in order
}

// New returns a Limiter that remembers the given number of keys. A key is forgotten
// only once its quota is whole again, so forgetting changes nothing for it. While
// all places are taken by keys that used some of theirs, keys that are not
// remembered share one quota. quota and keys are 1 at least.
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
	Left int // of the quota
	// Wait is how long until the quota is whole, or if it was refused, until one
	// of it is there again.
	Wait time.Duration
}

// Take takes one of the key's quota, if there is one.
func (l *Limiter[K]) Take(key K, now time.Time) Taken {
	return l.look(key, now, true)
}

// Look is what Take would answer, and takes nothing.
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
	// Not more than empty, which it would be where the clock was set back.
	b.full = min(b.full, t+l.window)
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

// GiveBack undoes a Take of the key that was granted. A key that is not remembered
// gets nothing back.
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

// add returns a bucket for a new key, in the place of one that is full if there is
// no other place, or the one that all new keys share.
func (l *Limiter[K]) add(key K, now int64) *bucket[K] {
	if len(l.buckets) < l.keys {
		b := &bucket[K]{key: key, full: now, due: now}
		l.buckets[key] = b
		heap.Push(&l.queue, b)
		return b
	}
	// What is due later than an empty bucket would be is from before the clock was set back.
	for l.queue[0].due <= now || l.queue[0].due > now+l.window {
		b := l.queue[0]
		if b.full = min(b.full, now+l.window); b.full > now {
			// It was used since its place in the queue was chosen. Moving it only now, and
			// not at each use, keeps the heap off the path of known keys.
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

// queue is a heap of buckets, the one first that is due first.
type queue[K comparable] []*bucket[K]

func (q queue[K]) Len() int           { return len(q) }
func (q queue[K]) Less(i, j int) bool { return q[i].due < q[j].due }
func (q queue[K]) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue[K]) Push(b any)        { *q = append(*q, b.(*bucket[K])) }
func (q *queue[K]) Pop() any          { panic("a bucket never leaves the queue") }

// Package ratelimit counts what happens under a key, for one process and in
// bounded memory. It must not know what a key stands for, nor how a refusal is
// answered.
package ratelimit

import (
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Limiter grants each key a quota at once, which comes back evenly over a window.
// It is safe for concurrent use. Of a nil Limiter everything is granted.
type Limiter[K comparable] struct {
	window  time.Duration
	every   time.Duration // one of the quota comes back
	buckets *lru.Cache[K, *bucket]
}

// A bucket is the time at which it will be full again, in nanoseconds since 1970:
// the generic cell rate algorithm, which needs no other state.
type bucket struct{ full atomic.Int64 }

// New returns a Limiter that remembers the given number of keys, those used last.
// A key that is forgotten has its whole quota again. quota and keys are 1 at
// least.
func New[K comparable](quota int, window time.Duration, keys int) *Limiter[K] {
	buckets, err := lru.New[K, *bucket](keys)
	if err != nil {
		panic(err) // keys < 1
	}
	return &Limiter[K]{window: window, every: max(1, window/time.Duration(quota)), buckets: buckets}
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
	if l == nil {
		return Taken{OK: true}
	}
	b, t := l.bucket(key), now.UnixNano()
	for {
		seen := b.full.Load()
		if empty := t + int64(l.window); seen > empty { // the clock was set back
			b.full.CompareAndSwap(seen, empty)
			continue
		}
		next := max(seen, t) + int64(l.every)
		spare := t + int64(l.window) - next
		if spare < 0 {
			return Taken{Wait: time.Duration(-spare)}
		}
		if b.full.CompareAndSwap(seen, next) {
			return Taken{OK: true, Left: int(spare / int64(l.every)), Wait: time.Duration(next - t)}
		}
	}
}

// GiveBack undoes a Take of the key that was granted.
func (l *Limiter[K]) GiveBack(key K) {
	if l == nil {
		return
	}
	if b, ok := l.buckets.Get(key); ok {
		b.full.Add(-int64(l.every))
	}
}

// Knows reports whether the key is remembered.
func (l *Limiter[K]) Knows(key K) bool { return l != nil && l.buckets.Contains(key) }

// Remember remembers the key, with its whole quota if it is new.
func (l *Limiter[K]) Remember(key K) {
	if l != nil {
		l.bucket(key)
	}
}

func (l *Limiter[K]) bucket(key K) *bucket {
	if b, ok := l.buckets.Get(key); ok {
		return b
	}
	fresh := new(bucket)
	if b, ok, _ := l.buckets.PeekOrAdd(key, fresh); ok {
		return b // another one was faster
	}
	return fresh
}

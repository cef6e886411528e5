package ratelimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/server/ratelimit"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAQuotaIsThereAtOnceAndComesBackEvenly(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[string](4, 8*time.Second, 10)
	for left := 3; left >= 0; left-- {
		want := ratelimit.Taken{OK: true, Left: left, Wait: time.Duration(4-left) * 2 * time.Second}
		if got := l.Take("a", start); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, step := range []struct {
		after time.Duration
		want  ratelimit.Taken
	}{
		{0, ratelimit.Taken{Wait: 2 * time.Second}},
		{500 * time.Millisecond, ratelimit.Taken{Wait: 1500 * time.Millisecond}}, // a refusal costs nothing
		{2 * time.Second, ratelimit.Taken{OK: true, Wait: 8 * time.Second}},
		{2 * time.Second, ratelimit.Taken{Wait: 2 * time.Second}},
		{time.Hour, ratelimit.Taken{OK: true, Left: 3, Wait: 2 * time.Second}}, // and no more than the quota
	} {
		if got := l.Take("a", start.Add(step.after)); got != step.want {
			t.Errorf("after %s: got %+v, want %+v", step.after, got, step.want)
		}
	}
	if got := l.Take("b", start); !got.OK || got.Left != 3 {
		t.Errorf("another key: %+v", got)
	}
}

func TestWhatIsGivenBackCanBeTakenAgain(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[string](1, time.Minute, 10)
	for range 5 {
		if got := l.Take("a", start); !got.OK {
			t.Fatalf("refused: %+v", got)
		}
		l.GiveBack("a")
	}
	l.GiveBack("a") // more than was taken makes the quota no larger
	l.GiveBack("nobody")
	if first, second := l.Take("a", start), l.Take("a", start); !first.OK || second.OK {
		t.Errorf("%+v, then %+v", first, second)
	}
}

// TestAClockSetBackLocksNobodyOut: by an hour, say, by an operator.
func TestAClockSetBackLocksNobodyOut(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[string](2, 2*time.Second, 10)
	l.Take("a", start)
	l.Take("a", start)
	back := start.Add(-time.Hour)
	if got := l.Take("a", back); got.OK || got.Wait != time.Second {
		t.Errorf("just after: %+v", got)
	}
	if got := l.Take("a", back.Add(time.Second)); !got.OK {
		t.Errorf("when one is there again: %+v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[int](1, time.Minute, 2)
	for key := range 3 {
		l.Take(key, start)
	}
	if l.Knows(0) || !l.Knows(1) || !l.Knows(2) {
		t.Error("not the two used last are known")
	}
	l.Remember(3)
	if got := l.Take(3, start); !l.Knows(3) || !got.OK {
		t.Errorf("a remembered key: %+v", got)
	}
	l.Remember(3)
	if got := l.Take(3, start); got.OK {
		t.Error("remembering a known key gives its quota back")
	}
}

func TestNoneIsGrantedTwice(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[string](500, time.Hour, 10)
	var granted atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 200 {
				if l.Take("a", start).OK {
					granted.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if n := granted.Load(); n != 500 {
		t.Errorf("%d granted, want 500", n)
	}
}

func TestNoLimiterGrantsEverything(t *testing.T) {
	t.Parallel()
	var l *ratelimit.Limiter[string]
	l.Remember("a")
	l.GiveBack("a")
	if got := l.Take("a", start); !got.OK || l.Knows("a") {
		t.Errorf("%+v", got)
	}
}

// BenchmarkTake is a request of a known key that is within its limit.
func BenchmarkTake(b *testing.B) {
	l := ratelimit.New[string](1_000_000, time.Second, 1<<16)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		l.Take("0191f7a2-6ed5-7c3e-a0c1-000000000000", now)
	}
}

// BenchmarkTakeOfNewKeys is the worst case: a flood of keys, each unknown.
func BenchmarkTakeOfNewKeys(b *testing.B) {
	l := ratelimit.New[int](10, time.Second, 1<<10)
	key := 0
	b.ReportAllocs()
	for b.Loop() {
		key++
		l.Take(key, start)
	}
}

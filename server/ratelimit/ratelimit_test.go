package ratelimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/server/ratelimit"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAQuotaCanBeTakenAtOnceAndComesBackEvenly(t *testing.T) {
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
	l.GiveBack("a") // giving back too much does not make the quota larger
	l.GiveBack("nobody")
	if first, second := l.Take("a", start), l.Take("a", start); !first.OK || second.OK {
		t.Errorf("%+v, then %+v", first, second)
	}
}

// TestAClockSetBackLocksNobodyOut, for example if an operator sets it back by an hour.
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
		t.Errorf("when one has come back: %+v", got)
	}
}

// TestAKeyIsForgottenOnlyOnceItsQuotaIsWhole, however many other keys come, and whenever the key is
// used in between.
func TestAKeyIsForgottenOnlyOnceItsQuotaIsWhole(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[int](2, time.Minute, 3)
	for range 2 {
		l.Take(0, start)
	}
	now := start
	for key := 1; key < 1000; key++ { // each is whole again 30 seconds later
		now = start.Add(time.Duration(key) * 50 * time.Millisecond)
		l.Take(key, now)
		if got := l.Look(0, now); got.OK != (now.Sub(start) >= 30*time.Second) {
			t.Fatalf("after %d other keys and %s: %+v", key, now.Sub(start), got)
		}
	}
	l.Take(0, now)
	if got := l.Look(0, now.Add(time.Second)); got.OK {
		t.Errorf("used again: %+v", got)
	}
	// The keys whose quotas are whole first are forgotten first.
	now = start.Add(time.Hour)
	for key := range 3 {
		l.Take(5000+key, now)
	}
	if got := l.Take(0, now); !got.OK || got.Left != 1 {
		t.Errorf("an hour later: %+v", got)
	}
}

// TestNewKeysShareOneQuotaWhileNoPlaceIsFree, so that memory stays bounded.
func TestNewKeysShareOneQuotaWhileNoPlaceIsFree(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[int](2, time.Minute, 2)
	l.Take(1, start)
	l.Take(2, start)
	if first, second, third := l.Take(3, start), l.Take(4, start), l.Take(5, start); !first.OK || !second.OK || third.OK {
		t.Errorf("three keys that are not remembered: %+v, %+v, %+v, want two granted", first, second, third)
	}
	l.GiveBack(3) // nothing comes back, because the key is not remembered
	if got := l.Take(3, start); got.OK {
		t.Errorf("what is shared was given back to one: %+v", got)
	}
	if got := l.Take(1, start); !got.OK {
		t.Errorf("a key that is remembered: %+v", got)
	}
	if got := l.Take(6, start.Add(30*time.Second)); !got.OK || got.Left != 1 {
		t.Errorf("a new key when a place is free: %+v", got)
	}
}

// TestAClockSetBackLeavesPlacesForNewKeys after one window.
func TestAClockSetBackLeavesPlacesForNewKeys(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[int](2, time.Minute, 2)
	l.Take(1, start)
	l.Take(2, start)
	back := start.Add(-time.Hour)
	l.Take(3, back)
	for key := 4; key < 6; key++ {
		if got := l.Take(key, back.Add(time.Minute)); !got.OK || got.Left != 1 {
			t.Errorf("key %d: %+v", key, got)
		}
	}
}

func TestLookingTakesNothing(t *testing.T) {
	t.Parallel()
	l := ratelimit.New[string](1, time.Minute, 10)
	for range 3 {
		if got := l.Look("a", start); !got.OK {
			t.Fatalf("%+v", got)
		}
	}
	l.Take("a", start)
	if got := l.Look("a", start); got.OK || got.Wait != time.Minute {
		t.Errorf("%+v", got)
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
	l.GiveBack("a")
	if got := l.Take("a", start); !got.OK {
		t.Errorf("%+v", got)
	}
}

// BenchmarkTake takes from the quota of a known key.
func BenchmarkTake(b *testing.B) {
	l := ratelimit.New[string](1_000_000, time.Second, 1<<16)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		l.Take("0191f7a2-6ed5-7c3e-a0c1-000000000000", now)
	}
}

// BenchmarkTakeOfNewKeys takes from the quotas of unknown keys, each of which replaces another key.
func BenchmarkTakeOfNewKeys(b *testing.B) {
	l := ratelimit.New[int](10, time.Second, 1<<10)
	key, now := 0, start
	b.ReportAllocs()
	for b.Loop() {
		key++
		now = now.Add(time.Millisecond)
		l.Take(key, now)
	}
}

// BenchmarkTakeOfKeysThatFindNoPlace takes from the quotas of unknown keys while all places are in
// use.
func BenchmarkTakeOfKeysThatFindNoPlace(b *testing.B) {
	l := ratelimit.New[int](10, time.Hour, 1<<16)
	for key := range 1 << 16 {
		l.Take(key, start)
	}
	key := 1 << 16
	b.ReportAllocs()
	for b.Loop() {
		key++
		l.Take(key, start)
	}
}

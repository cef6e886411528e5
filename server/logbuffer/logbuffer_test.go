package logbuffer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server/logbuffer"
)

// output is a log file. While it is stalled, writes wait. While it is broken, writes fail.
type output struct {
	stalled sync.RWMutex
	mu      sync.Mutex
	text    bytes.Buffer
	broken  bool
}

func (o *output) Write(block []byte) (int, error) {
	o.stalled.RLock()
	defer o.stalled.RUnlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return 0, errors.New("no space left on device")
	}
	return o.text.Write(block)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) setBroken(broken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = broken
}

// newLog returns a buffer that is closed at the end, and its two loggers.
func newLog(t *testing.T, out io.Writer) (b *logbuffer.Buffer, log, droppable *slog.Logger) {
	t.Helper()
	b = logbuffer.New(out, func(out io.Writer) slog.Handler { return slog.NewTextHandler(out, nil) })
	t.Cleanup(b.Close)
	return b, slog.New(b.Handler()), slog.New(b.Droppable())
}

// eventually waits until the output has the text.
func eventually(t *testing.T, out *output, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 10 seconds the log has no %q:\n%.2000s", text, out)
		}
	}
}

// within fails if done is not closed within 30 seconds.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("after 30 seconds %s has not ended", what)
	}
}

func TestALineIsWrittenThoughNoOtherFollows(t *testing.T) {
	t.Parallel()
	out := &output{}
	_, log, droppable := newLog(t, out)
	log.Info("first")
	eventually(t, out, "msg=first")
	droppable.Info("second")
	eventually(t, out, "msg=second")
}

func TestAWarningIsWrittenWithAllBeforeItWhenItsCallReturns(t *testing.T) {
	t.Parallel()
	for _, level := range []slog.Level{slog.LevelWarn, slog.LevelError} {
		out := &output{}
		_, log, droppable := newLog(t, out)
		droppable.Info("before")
		log.With("id", 7).WithGroup("of").Log(t.Context(), level, "trouble", "request", 9)
		if got := out.String(); !strings.Contains(got, "msg=before\n") || !strings.HasSuffix(got, "msg=trouble id=7 of.request=9\n") {
			t.Errorf("at %s the log is %q", level, got)
		}
	}
}

func TestCloseWritesEverythingAndLaterLinesAtOnce(t *testing.T) {
	t.Parallel()
	out := &output{}
	b, log, droppable := newLog(t, out)
	for i := range 100 {
		droppable.Info("line", "i", i)
	}
	b.Close()
	if got := strings.Count(out.String(), "\n"); got != 100 {
		t.Errorf("after Close the log has %d of 100 lines", got)
	}
	log.Info("after the close")
	if !strings.HasSuffix(out.String(), "msg=\"after the close\"\n") {
		t.Error("a line after Close waits")
	}
}

// TestAStalledOutputLosesOnlySuccesses. The log says how many, and no successful request waits.
func TestAStalledOutputLosesOnlySuccesses(t *testing.T) {
	t.Parallel()
	out := &output{}
	b, log, droppable := newLog(t, out)
	out.stalled.Lock()
	const successes = 20_000
	long := strings.Repeat("x", 200)
	dropping := make(chan struct{})
	go func() {
		defer close(dropping)
		for range successes {
			droppable.Info("success", "text", long)
		}
	}()
	within(t, "logging of successes on a stalled output", dropping)
	lost := b.Lost()
	// Two buffers of half a megabyte hold about 4,000 of these lines.
	if lost < successes/2 || lost == successes {
		t.Errorf("%d of %d lines are lost", lost, successes)
	}
	failing := make(chan struct{})
	go func() {
		defer close(failing)
		for i := range 100 {
			log.Info("refused", "i", i)
		}
		log.Error("failure")
	}()
	select {
	case <-failing:
		t.Error("an error is said to be written while nothing can be written")
	case <-time.After(50 * time.Millisecond):
	}
	out.stalled.Unlock()
	within(t, "logging of an error after the stall", failing)
	b.Close()
	got := out.String()
	if n := strings.Count(got, "msg=refused"); n != 100 || strings.Count(got, "msg=failure") != 1 {
		t.Errorf("the log has %d of 100 refusals, failure: %v", n, strings.Contains(got, "msg=failure"))
	}
	if n := strings.Count(got, "msg=success"); int64(n)+b.Lost() != successes {
		t.Errorf("%d successes are written and %d lost, of %d", n, b.Lost(), successes)
	}
	if !strings.Contains(got, fmt.Sprintf("level=WARN msg=\"log lines are missing, because the log was not read fast enough or could not be written\" lines=%d\n", lost)) {
		t.Errorf("the log does not say that %d lines are missing", lost)
	}
}

func TestLinesThatCannotBeWrittenAreCountedAndTold(t *testing.T) {
	t.Parallel()
	out := &output{}
	b, log, _ := newLog(t, out)
	out.setBroken(true)
	log.Info("one")
	log.Error("two")
	out.setBroken(false)
	if b.Lost() != 2 || out.String() != "" {
		t.Errorf("%d lines are lost: %s", b.Lost(), out)
	}
	log.Error("three")
	b.Close()
	if got := out.String(); !strings.Contains(got, "msg=three") || !strings.Contains(got, "lines=2\n") || strings.Count(got, "\n") != 2 {
		t.Errorf("after the disk had room again: %s", got)
	}
}

func TestLinesOfManyRequestsStayWholeAndInOrder(t *testing.T) {
	t.Parallel()
	out := &output{}
	b, log, droppable := newLog(t, out)
	const callers, each = 16, 1_000
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				if i%100 == 99 {
					log.Error("line", "caller", caller, "i", i)
				} else {
					droppable.Info("line", "caller", caller, "i", i)
				}
			}
		})
	}
	all.Wait()
	b.Close()
	next := make([]int, callers)
	for line := range strings.Lines(out.String()) {
		var caller, i int
		_, rest, _ := strings.Cut(line, "msg=line ")
		if _, err := fmt.Sscanf(rest, "caller=%d i=%d\n", &caller, &i); err != nil || i != next[caller] {
			t.Fatalf("line %q, want number %d of this caller (%v)", line, next[caller], err)
		}
		next[caller]++
	}
	for caller, n := range next {
		if n != each {
			t.Errorf("caller %d has %d of %d lines", caller, n, each)
		}
	}
}

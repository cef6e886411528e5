// Package logbuffer writes log lines in blocks, so that a request does not make a system call
// for its line and does not wait for a slow reader of the log. It must not know what is logged.
package logbuffer

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// FlushEvery is the longest time that a line waits while the log can be written.
	FlushEvery = 200 * time.Millisecond
	// blockSize is the number of bytes that are written without waiting for FlushEvery.
	blockSize = 64 << 10
	// limit bounds the bytes that wait. As many again may be in the block that is being written.
	limit = 512 << 10
)

// Buffer collects lines and writes them to one output, in their order:
//
//   - A line is written after FlushEvery at the latest. A line of level warn or error is
//     written, with all lines before it, when the call that logs it returns.
//   - If the output takes no more and the buffer is full, lines of Droppable are dropped, and
//     the calls that log any other line wait.
//   - If the output fails, the block is lost.
//   - A later line says how many lines were dropped or lost.
type Buffer struct {
	out   io.Writer
	lines slog.Handler // formats lines and calls Write
	lost  atomic.Int64

	mu      sync.Mutex
	room    sync.Cond // waiting has become empty
	waiting []byte
	timer   *time.Timer // calls flush
	closed  bool        // after Close

	writing  sync.Mutex // held while a block is written; taken before mu
	spare    []byte     // the memory of the last block
	reported int64      // of lost
}

// New returns a buffer in front of out. The handler that format returns must make one call of
// Write for each line, as those of log/slog do.
func New(out io.Writer, format func(io.Writer) slog.Handler) *Buffer {
	b := &Buffer{out: out}
	b.room.L = &b.mu
	b.timer = time.AfterFunc(time.Hour, b.flush)
	b.timer.Stop()
	b.lines = format(b)
	return b
}

// Handler returns the handler of lines that must not be dropped.
func (b *Buffer) Handler() slog.Handler { return handler{b.lines, b, false} }

// Droppable returns the handler of lines that are dropped while the buffer is full.
func (b *Buffer) Droppable() slog.Handler { return handler{b.lines, b, true} }

// Lost returns the number of lines that were dropped, or that the output did not take.
func (b *Buffer) Lost() int64 { return b.lost.Load() }

// Close writes all lines that wait. Lines that are logged later are written at once.
func (b *Buffer) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.flush()
}

// Write takes a line. It never waits for the output before Close, because the handler calls
// it under a lock that all requests share.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	before := len(b.waiting)
	b.waiting = append(b.waiting, line...)
	closed := b.closed
	switch {
	case closed:
	// The first line that waits starts the time, and later ones do not put it off.
	case before == 0:
		b.timer.Reset(FlushEvery)
	// The goroutine of the timer writes the block, so that this call does not wait for the output.
	case before < blockSize && len(b.waiting) >= blockSize:
		b.timer.Reset(0)
	}
	b.mu.Unlock()
	// Without the lock, because flush takes it.
	if closed {
		b.flush()
	}
	return len(line), nil
}

// flush returns when all lines that waited at its call have been written or lost.
func (b *Buffer) flush() {
	missing, err := b.writeBlock()
	if err != nil || missing == 0 {
		return
	}
	// Without the locks, because this line comes back through Write.
	slog.New(b.lines).Warn("log lines are missing, because the log was not read fast enough or could not be written", "lines", missing)
}

// writeBlock writes the lines that wait. It returns the number of lost lines that were not
// reported yet, and counts them as reported unless it fails.
func (b *Buffer) writeBlock() (missing int64, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	block := b.waiting
	b.waiting, b.spare = b.spare[:0], nil
	b.room.Broadcast()
	b.mu.Unlock()

	// A block that grew while the output was slow is not kept.
	if cap(block) <= 4*blockSize {
		b.spare = block
	}
	if len(block) == 0 {
		return 0, nil
	}
	if written, err := b.out.Write(block); err != nil {
		b.lost.Add(int64(bytes.Count(block[written:], []byte("\n"))))
		return 0, err
	}
	missing = b.lost.Load() - b.reported
	b.reported += missing
	return missing, nil
}

// admit returns when there is room for a line. It returns false if the line is dropped.
func (b *Buffer) admit(droppable bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) >= limit {
		if droppable {
			b.lost.Add(1)
			return false
		}
		b.room.Wait()
	}
	return true
}

type handler struct {
	slog.Handler

	buffer    *Buffer
	droppable bool
}

func (h handler) Handle(ctx context.Context, line slog.Record) error {
	// The wait comes before the inner handler takes its lock. Otherwise a line that must wait
	// would also hold up those that may be dropped.
	if !h.buffer.admit(h.droppable) {
		return nil
	}
	err := h.Handler.Handle(ctx, line)
	if line.Level >= slog.LevelWarn {
		h.buffer.flush()
	}
	return err
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

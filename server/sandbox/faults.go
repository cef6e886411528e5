package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"giftcards/store"
)

// fault is a failure that a client asks for. The zero value is no fault.
type fault struct {
	kind  faultKind
	delay time.Duration // of faultSlow
	bytes int           // of faultCut: how many bytes of the body are sent
}

type faultKind int

const (
	noFault   faultKind = iota
	faultLost           // the effect is committed, and the connection closes without an answer
	faultDown           // as if the database were away
	faultSlow           // the answer comes late
	faultCut            // the connection closes in the middle of the body
)

// Bounds of faults. A server ends an answer after server.WriteTimeout in any case.
const (
	longestDelay = time.Minute
	longestCut   = 1 << 30 // bytes
)

var errFault = errors.New(faultHeader + " must be lost-answer, down, slow=2s (1ms to 60s) or cut=1024 (0 to 1073741824 bytes of the body)")

// parseFault reads a Sandbox-Fault. The error is a sentence for the client.
func parseFault(value string) (fault, error) {
	kind, argument, _ := strings.Cut(value, "=")
	switch {
	// The whole value is compared, because these two faults have no argument.
	case value == "lost-answer":
		return fault{kind: faultLost}, nil
	case value == "down":
		return fault{kind: faultDown}, nil
	case kind == "slow":
		if delay, ok := parseDelay(argument); ok {
			return fault{kind: faultSlow, delay: delay}, nil
		}
	case kind == "cut":
		if n, err := strconv.ParseUint(argument, 10, 31); err == nil && n <= longestCut {
			return fault{kind: faultCut, bytes: int(n)}, nil
		}
	}
	return fault{}, errFault
}

// parseDelay reads a time such as 2s or 500ms, from a millisecond to longestDelay.
func parseDelay(text string) (time.Duration, bool) {
	delay, err := time.ParseDuration(text)
	return delay, err == nil && delay >= time.Millisecond && delay <= longestDelay
}

// fit returns an error, a sentence for the client, if the fault makes no sense for a request
// with this method, or together with a chosen answer.
func (f fault) fit(method string, answer int) error {
	switch {
	case f.kind == faultCut && method == http.MethodHead:
		return fmt.Errorf("%s: cut has no meaning with HEAD, because its answer has no body", faultHeader)
	case f.kind == faultDown && answer != 0:
		return fmt.Errorf("%s: down has no meaning with %s, because it is an answer itself", faultHeader, preferHeader)
	}
	return nil
}

// serveFault lets next answer a request, and makes the fault happen.
func (s *Sandbox) serveFault(w http.ResponseWriter, r *http.Request, f fault, next http.Handler) {
	switch f.kind {
	case noFault:
		next.ServeHTTP(w, r)
	case faultLost:
		next.ServeHTTP(&lostAnswer{inner: w, header: w.Header().Clone(), record: recordOf(r.Context())}, r)
		// net/http closes the connection, and in HTTP/2 the stream. It logs nothing.
		panic(http.ErrAbortHandler)
	case faultDown:
		next.ServeHTTP(w, r.WithContext(store.WithoutDatabase(r.Context())))
	case faultSlow:
		late := &heldAnswer{ResponseWriter: w, most: heldOfLate, delay: f.delay}
		clientGone := r.Context().Done()
		late.before = func() { pause(clientGone, w, f.delay) }
		next.ServeHTTP(late, r)
		late.end()
	case faultCut:
		cut := &heldAnswer{ResponseWriter: w, most: heldOfCut, left: f.bytes, limited: true}
		next.ServeHTTP(cut, r)
		cut.end()
		if cut.isCut {
			recordOf(r.Context()).cutOff()
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

// lostAnswer takes an answer and sends nothing of it. The server behind it does not notice.
type lostAnswer struct {
	inner  http.ResponseWriter
	header http.Header
	record *record
	status int
}

// Header returns the header of the answer.
func (a *lostAnswer) Header() http.Header { return a.header }

// WriteHeader records the status.
func (a *lostAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
		a.record.answer(status, a.header)
		a.record.lose()
	}
}

// Write records the body.
func (a *lostAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.record.answerBody(p)
	return len(p), nil
}

// FlushError does nothing, because nothing may be sent.
func (a *lostAnswer) FlushError() error { return nil }

// SetWriteDeadline does nothing, because nothing is written.
func (a *lostAnswer) SetWriteDeadline(time.Time) error { return nil }

// Unwrap returns the inner writer, for the deadlines of reading the request.
func (a *lostAnswer) Unwrap() http.ResponseWriter { return a.inner }

// How many bytes of an answer are held back. net/http gives a Content-Length to an answer of up
// to heldOfCut bytes. It sends a longer one in chunks, unless the handler has set its length.
const (
	heldOfCut  = 2048
	heldOfLate = 64 << 10
)

// heldAnswer holds an answer back until the answer ends or has more than most bytes. A short
// answer is sent after the server has finished the request. By then the server has freed its
// memory, and the duration in its log does not include the delay.
type heldAnswer struct {
	http.ResponseWriter

	most   int
	before func()        // called once before the first byte is sent; may be nil
	delay  time.Duration // by which before delays the answer

	limited bool // only left more bytes of the body may be sent
	left    int
	isCut   bool // bytes of the body were dropped

	status int
	held   bytes.Buffer
	open   bool // the first byte was sent
}

// WriteHeader keeps the status.
func (a *heldAnswer) WriteHeader(status int) {
	switch {
	case status < http.StatusOK:
		a.ResponseWriter.WriteHeader(status)
	case a.status == 0:
		a.status = status
	}
}

// Write holds bytes back, or sends them if the answer is no longer held back.
func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !a.open && a.held.Len()+len(p) <= a.most {
		return a.held.Write(p)
	}
	if err := a.leave(); err != nil {
		return 0, err
	}
	return a.send(p)
}

// leave sends the bytes that were held back.
func (a *heldAnswer) leave() error {
	if a.open {
		return nil
	}
	a.open = true
	if a.before != nil {
		a.before()
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, err := a.send(a.held.Bytes())
	a.held = bytes.Buffer{}
	return err
}

// send sends as many bytes as it may, and drops the others.
func (a *heldAnswer) send(p []byte) (int, error) {
	most := len(p)
	if a.limited {
		most = min(most, a.left)
		a.left -= most
		a.isCut = a.isCut || most < len(p)
	}
	if most == 0 {
		return len(p), nil
	}
	n, err := a.ResponseWriter.Write(p[:most]) //nolint:gosec // what the server wrote, with its headers
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// end sends an answer that is still held back. It sets the length of a short answer, as
// net/http would, because a client recognises a cut answer by its length.
func (a *heldAnswer) end() {
	if a.open {
		return
	}
	a.WriteHeader(http.StatusOK)
	if a.limited && a.held.Len() > 0 && a.Header().Get("Content-Length") == "" {
		a.Header().Set("Content-Length", strconv.Itoa(a.held.Len()))
	}
	_ = a.leave() // the client has gone
}

// FlushError does nothing while the answer is held back.
func (a *heldAnswer) FlushError() error {
	if !a.open {
		return nil
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// SetWriteDeadline adds the delay to a deadline, because the client does not cause the delay.
func (a *heldAnswer) SetWriteDeadline(deadline time.Time) error {
	if !deadline.IsZero() {
		deadline = deadline.Add(a.delay)
	}
	return http.NewResponseController(a.ResponseWriter).SetWriteDeadline(deadline)
}

// Unwrap returns the inner writer, for the deadlines of reading the request.
func (a *heldAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// timeToSend is how long an answer may take to leave after the delay. Streams set deadlines of
// their own.
const timeToSend = 30 * time.Second

// pause waits for the delay, but not longer than the client does. Then it gives the answer
// timeToSend.
func pause(clientGone <-chan struct{}, w http.ResponseWriter, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-clientGone:
	}
	// The old deadline has run since the request began, and may be over.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeToSend))
}

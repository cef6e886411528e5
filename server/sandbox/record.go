package sandbox

import (
	"container/list"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// record is the journal's entry for one request. The journal's mutex protects everything that
// changes while the request is under way. The journal does not keep every request: answer,
// answerBody, lose and cutOff do nothing on a nil record.
type record struct {
	journal   *journal
	inJournal *list.Element // nil: the record was dropped
	inWorld   *list.Element
	size      int64 // bytes

	number    uint64
	merchant  string // of the token; "" if there is none
	at        time.Time
	duration  time.Duration // 0 while the request is under way
	operation operation
	method    string
	path      string // with the query
	pathCut   bool
	sent      message
	sentBytes int64 // bytes of the request's body that the server has read
	status    int   // 0 while there is no answer
	answered  message
	arrival   arrival
}

// message is a request or an answer, as far as it is kept.
type message struct {
	headers    [][2]string // name and value, by name
	headersCut bool
	body       []byte
	bytes      int64 // of the whole body
	bodyCut    bool
}

// arrival says how much of an answer reached the client, as far as the sandbox knows.
type arrival string

const (
	arrivedWhole   arrival = "whole"
	arrivedPart    arrival = "part"
	arrivedNothing arrival = "nothing"
)

type recordKey struct{}

// recordOf returns the record of the request that the context belongs to, or nil if it has none.
func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r
}

// record lets next answer a request, and keeps the request and the answer in the journal.
func (s *Sandbox) record(w http.ResponseWriter, r *http.Request, op operation, next http.Handler) {
	if !s.isKept(r) {
		next.ServeHTTP(w, r)
		return
	}
	start := time.Now()
	kept := &record{at: start.UTC(), merchant: s.merchantOf(r.Header.Get("Authorization")), operation: op, method: r.Method, arrival: arrivedWhole}
	s.journal.add(kept)
	kept.ask(r)
	// This is deferred, because an answer that is broken off ends in a panic.
	defer func() { s.end(kept, time.Since(start)) }()
	r = r.WithContext(context.WithValue(r.Context(), recordKey{}, kept))
	if r.Body != nil {
		r.Body = &recordedBody{r.Body, kept}
	}
	next.ServeHTTP(&recordedAnswer{ResponseWriter: w, record: kept}, r)
	kept.readRest(w, r)
}

// end records that a request is over. A login has no token in its request, so its record gets the
// merchant of the token in the answer.
func (s *Sandbox) end(kept *record, duration time.Duration) {
	kept.end(duration)
	if kept.operation.id != loginOperation {
		return
	}
	if merchant := s.merchantOf("Bearer " + kept.token()); merchant != "" {
		kept.belong(merchant)
	}
}

// isKept reports whether the journal keeps a request. Probes and pages would push out the
// requests of clients.
func (s *Sandbox) isKept(r *http.Request) bool {
	path := s.operations.below(r).URL.Path
	switch path {
	case "/", "/healthz", "/readyz", "/docs", "/favicon.ico":
		return false
	}
	return !strings.HasPrefix(path, "/docs/") && !strings.HasPrefix(path, "/openapi")
}

// merchantOf returns the merchant of a token that this server has signed, whether it has
// expired or not, and "" for anything else.
func (s *Sandbox) merchantOf(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	expires, ok := expiryOf(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	claims, err := s.Keys.VerifyToken(token, expires.Add(-time.Second))
	if err != nil {
		return ""
	}
	return claims.Merchant
}

// token returns the token in the answer to a login, or "".
func (r *record) token() string {
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	var answer struct{ AccessToken string }
	_ = json.Unmarshal(r.answered.body, &answer) // a refusal has none
	return answer.AccessToken
}

// belong moves a record to the list of a merchant.
func (r *record) belong(merchant string) {
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	if r.inJournal != nil {
		r.journal.leave(r)
		r.journal.join(r, merchant)
	}
}

// hold counts bytes that the record is about to hold. It returns false if it may hold nothing
// any more. The mutex must be held.
func (r *record) hold(bytes int) bool { return r.journal.take(r, int64(bytes)) }

// ask records what was sent, except the body.
func (r *record) ask(request *http.Request) {
	path := withoutSecretsInQuery(request.URL)
	headers, cut := keepHeaders(request.Header)
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	if r.pathCut = len(path) > keptOfPath; r.pathCut {
		path = path[:keptOfPath]
	}
	if r.hold(len(path) + sizeOf(headers)) {
		r.path = strings.Clone(path)
		r.sent.headers, r.sent.headersCut, r.sent.bytes = headers, cut, max(0, request.ContentLength)
	}
}

// answer records the beginning of an answer.
func (r *record) answer(status int, header http.Header) {
	if r == nil {
		return
	}
	headers, cut := keepHeaders(header)
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	r.status = status
	if r.hold(sizeOf(headers)) {
		r.answered.headers, r.answered.headersCut = headers, cut
	}
}

// answerBody records a part of the answer's body.
func (r *record) answerBody(p []byte) {
	if r == nil {
		return
	}
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	r.answered.bytes += int64(len(p))
	r.keep(&r.answered, p)
}

// keep adds as many bytes to a body as there is room for. The buffer of the body doubles when it
// is full, and its bytes are counted before it is made. The mutex must be held.
func (r *record) keep(m *message, p []byte) {
	room := keptOfBody - len(m.body)
	if len(p) > room {
		m.bodyCut = true
		p = p[:room]
	}
	if grown := len(m.body) + len(p); grown > cap(m.body) {
		size := min(max(grown, 2*cap(m.body)), keptOfBody)
		if !r.hold(size - cap(m.body)) {
			return
		}
		m.body = append(make([]byte, 0, size), m.body...)
	}
	m.body = append(m.body, p...)
}

// lose records that nothing of the answer reached the client.
func (r *record) lose() { r.arrived(arrivedNothing) }

// cutOff records that a part of the answer reached the client.
func (r *record) cutOff() { r.arrived(arrivedPart) }

func (r *record) arrived(how arrival) {
	if r == nil {
		return
	}
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	r.arrival = how
}

// end records that the request is over.
func (r *record) end(duration time.Duration) {
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	r.duration = duration
	if r.status == 0 { // the server broke off before it answered
		r.arrival = arrivedNothing
	}
}

// keepHeaders copies headers by name, without secrets, up to keptOfHeaders bytes.
func keepHeaders(header http.Header) (kept [][2]string, cut bool) {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			value = withoutSecretInHeader(name, value)
			if size += len(name) + len(value); size > keptOfHeaders {
				return kept, true
			}
			// Clone, because a header may share the memory of a larger text.
			kept = append(kept, [2]string{strings.Clone(name), strings.Clone(value)})
		}
	}
	return kept, false
}

func sizeOf(headers [][2]string) int {
	size := 0
	for _, h := range headers {
		size += len(h[0]) + len(h[1])
	}
	return size
}

// recordedBody records a request's body as the server reads it.
type recordedBody struct {
	io.ReadCloser

	record *record
}

// Read reads, and records what it has read.
func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	r := b.record
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	r.sentBytes += int64(n)
	r.sent.bytes = max(r.sent.bytes, r.sentBytes)
	r.keep(&r.sent, p[:n])
	return n, err
}

// readRest reads a short body that the server has refused without reading it, because a test
// wants to see it. net/http would read and discard the body after this. readRest does not wait
// for a client with the header Expect, which sends its body only on demand.
func (r *record) readRest(w http.ResponseWriter, request *http.Request) {
	r.journal.mutex.Lock()
	isShort := r.sentBytes < request.ContentLength && request.ContentLength <= keptOfBody
	r.journal.mutex.Unlock()
	if !isShort || request.Header.Get("Expect") != "" {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTimeout))
	_, _ = io.Copy(io.Discard, request.Body)
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

const restTimeout = time.Second

// recordedAnswer records an answer on its way to the client.
type recordedAnswer struct {
	http.ResponseWriter

	record *record
	begun  bool
}

// WriteHeader records the status and the headers.
func (a *recordedAnswer) WriteHeader(status int) {
	if !a.begun && status >= http.StatusOK {
		a.begun = true
		a.record.answer(status, a.Header())
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write records a part of the body.
func (a *recordedAnswer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	a.record.answerBody(p)
	return a.ResponseWriter.Write(p)
}

// Unwrap returns the inner writer, on which streams set their deadline.
func (a *recordedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

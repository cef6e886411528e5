package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"giftcards/server/rules"
)

// shownRequest is a record as GET /sandbox/requests answers it.
type shownRequest struct {
	ID             uint64       `json:"id"` // grows with every request
	At             time.Time    `json:"at"`
	DurationMs     *float64     `json:"durationMs"` // null while it is under way
	MerchantID     *string      `json:"merchantId"` // of the token
	Operation      *string      `json:"operation"`  // null for an unknown path
	Method         string       `json:"method"`
	Path           string       `json:"path"`
	PathCut        bool         `json:"pathCut"`
	IdempotencyKey *string      `json:"idempotencyKey"`
	Replayed       bool         `json:"replayed"`
	RequestID      *string      `json:"requestId"`
	Request        shownMessage `json:"request"`
	Answer         *shownAnswer `json:"answer"` // null while there is none
	Errors         []shownError `json:"errors"` // of a 422
	Broke          []string     `json:"broke"`  // statements of the contract, if the answer is a 4xx
}

// shownMessage is a request or an answer. A body that is no text is in base64.
type shownMessage struct {
	Headers    map[string][]string `json:"headers"`
	HeadersCut bool                `json:"headersCut"`
	Body       *string             `json:"body"`
	BodyBase64 []byte              `json:"bodyBase64"`
	BodyBytes  int64               `json:"bodyBytes"` // of the whole body
	BodyCut    bool                `json:"bodyCut"`
}

// shownAnswer is an answer, and how much of it reached the client.
type shownAnswer struct {
	Status  int     `json:"status"`
	Arrived arrival `json:"arrived"`
	shownMessage
}

// shownError is one of the errors of a 422.
type shownError struct {
	Type string `json:"type"`
	Loc  []any  `json:"loc"`
	Msg  string `json:"msg"`
}

// statement is the error as a line, such as "body.initialValue: Field required".
func (e shownError) statement() string {
	at := make([]string, len(e.Loc))
	for i, part := range e.Loc {
		at[i] = fmt.Sprint(part)
	}
	return strings.Join(at, ".") + ": " + e.Msg
}

// show converts a record for the answer to GET /sandbox/requests. It returns false if the record
// was dropped.
func (r *record) show() (shownRequest, bool) {
	// The request may still be under way, and its goroutine then changes the record.
	r.journal.mutex.Lock()
	defer r.journal.mutex.Unlock()
	if r.inJournal == nil {
		return shownRequest{}, false
	}
	shown := shownRequest{
		ID: r.number, At: r.at.Truncate(time.Microsecond), MerchantID: nonEmpty(r.merchant), Operation: nonEmpty(r.operation.name()),
		Method: r.method, Path: r.path, PathCut: r.pathCut, IdempotencyKey: nonEmpty(r.key()),
		Replayed: r.answered.header("Idempotent-Replayed") != "", RequestID: nonEmpty(r.answered.header("X-Request-Id")),
		Request: r.sent.show(r.operation.id == loginOperation), Errors: []shownError{}, Broke: []string{},
	}
	if r.duration > 0 {
		ms := float64(r.duration.Microseconds()) / 1000
		shown.DurationMs = &ms
	}
	if r.status == 0 {
		return shown, true
	}
	// Also after a login: its answer has no password, and show leaves tokens out.
	shown.Answer = &shownAnswer{r.status, r.arrival, r.answered.show(false)}
	switch {
	case r.status == http.StatusUnprocessableEntity:
		shown.Errors = errorsIn(r.answered.body)
		for _, e := range shown.Errors {
			shown.Broke = append(shown.Broke, e.statement())
		}
	case r.status >= http.StatusBadRequest && r.status < http.StatusInternalServerError:
		// A page, or a body that was cut, is not JSON and adds nothing.
		var refusal struct{ Detail string }
		if json.Unmarshal(r.answered.body, &refusal) == nil && refusal.Detail != "" {
			shown.Broke = append(shown.Broke, refusal.Detail)
		}
	}
	return shown, true
}

// key is the idempotency key as the server reads it.
func (r *record) key() string { return rules.Key(r.sent.header("Idempotency-Key")) }

// header returns the first value of a header.
func (m message) header(name string) string {
	for _, h := range m.headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// show converts a message for the answer. isLogin says that the body may contain a password.
func (m message) show(isLogin bool) shownMessage {
	shown := shownMessage{Headers: map[string][]string{}, HeadersCut: m.headersCut, BodyBytes: m.bytes, BodyCut: m.bodyCut}
	for _, h := range m.headers {
		shown.Headers[h[0]] = append(shown.Headers[h[0]], h[1])
	}
	text := m.body
	if m.bodyCut {
		// A cut may fall within a character, and the text would then not be valid UTF-8.
		text = wholeCharacters(text)
	}
	switch {
	case m.bytes == 0:
	case isLogin:
		shown.Body = new(withoutPassword(m.headers, string(text)))
	case !utf8.Valid(text):
		shown.BodyBase64 = tokenPattern.ReplaceAllLiteral(m.body, []byte(leftOut))
	default:
		shown.Body = new(withoutTokens(string(text)))
	}
	return shown
}

// wholeCharacters returns a text without an incomplete character at its end.
func wholeCharacters(text []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if tail := text[len(text)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return text[:len(text)-i]
			}
			break
		}
	}
	return text
}

// errorsIn returns the errors in the body of a 422, as far as the body was kept. It reads the
// parts of each error one by one, because the kept body may end within the last error's input.
func errorsIn(body []byte) []shownError {
	found := []shownError{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	for range 3 { // { "detail" [
		if _, err := decoder.Token(); err != nil {
			return found
		}
	}
	for decoder.More() {
		var one shownError
		whole := one.read(decoder)
		if one.Msg != "" {
			found = append(found, one)
		}
		if !whole {
			break
		}
	}
	return found
}

// read reads one error, and reports whether the error was complete.
func (e *shownError) read(decoder *json.Decoder) bool {
	if _, err := decoder.Token(); err != nil { // {
		return false
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return false
		}
		var rest json.RawMessage
		into := map[json.Token]any{"type": &e.Type, "loc": &e.Loc, "msg": &e.Msg}[name]
		if into == nil {
			into = &rest
		}
		if decoder.Decode(into) != nil {
			return false
		}
	}
	_, err := decoder.Token() // }
	return err == nil
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

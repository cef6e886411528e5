package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers with which a client controls one request.
const (
	preferHeader = "Prefer"
	nowHeader    = "Sandbox-Now"
	faultHeader  = "Sandbox-Fault"
	taskHeader   = "Sandbox-Task"
)

// controls are what a client asks for in the headers of one request.
type controls struct {
	answer int           // Prefer: code=…; 0 if none
	now    time.Time     // Sandbox-Now; zero if none
	fault  fault         // Sandbox-Fault (faults.go)
	task   taskBehaviour // Sandbox-Task (tasks.go)
}

// controlsOf reads and judges the headers of a request. The error is a sentence for the client.
func controlsOf(r *http.Request, op operation) (controls, error) {
	if err := misplaced(r.Header, op); err != nil {
		return controls{}, err
	}
	c, err := parseControls(r.Header)
	if err != nil {
		return controls{}, err
	}
	if err := c.fit(op); err != nil {
		return controls{}, err
	}
	return c, c.fault.fit(r.Method, c.answer)
}

// parseControls reads the headers of a request. The error is a sentence for the client.
func parseControls(h http.Header) (c controls, err error) {
	// Prefer may come several times (RFC 7240). The other headers are only for the sandbox.
	if c.answer, err = preferredCode(h.Values(preferHeader)); err != nil {
		return controls{}, err
	}
	for header, parse := range map[string]func(string) error{
		nowHeader:   func(value string) error { c.now, err = parseNow(value); return err },
		faultHeader: func(value string) error { c.fault, err = parseFault(value); return err },
		taskHeader:  func(value string) error { c.task, err = parseTask(value); return err },
	} {
		switch values := h.Values(header); len(values) {
		case 0:
		case 1:
			if err := parse(strings.TrimSpace(values[0])); err != nil {
				return controls{}, err
			}
		default:
			return controls{}, fmt.Errorf("%s must be sent once", header)
		}
	}
	return c, nil
}

// misplaced returns an error if a header has no meaning for the operation, whatever its value
// is. The error is a sentence for the client.
func misplaced(h http.Header, op operation) error {
	switch {
	case len(h.Values(nowHeader)) > 0 && op.followsClock():
		return fmt.Errorf("%s has no meaning for this operation, which follows the clock", nowHeader)
	case len(h.Values(taskHeader)) > 0 && op.id != bulkOperation:
		return fmt.Errorf("%s is only for a bulk request", taskHeader)
	}
	return nil
}

// uncontrolled returns an error if a request to the sandbox itself has a header that controls a
// request. The error is a sentence for the client.
func uncontrolled(h http.Header) error {
	for _, header := range []string{nowHeader, faultHeader, taskHeader} {
		if len(h.Values(header)) > 0 {
			return fmt.Errorf("%s has no meaning for an operation of the sandbox itself", header)
		}
	}
	if code, err := preferredCode(h.Values(preferHeader)); code != 0 || err != nil {
		return fmt.Errorf("%s: code has no meaning for an operation of the sandbox itself", preferHeader)
	}
	return nil
}

// fit returns an error if the operation does not declare the chosen code, or if another control
// has no meaning together with it. The error is a sentence for the client.
func (c controls) fit(op operation) error {
	atOnce := c.answer == http.StatusCreated && op.acts(c.answer)
	switch {
	case c.answer == 0:
	case !op.declares(c.answer):
		return fmt.Errorf("%s: this operation has no answer %d; it declares %s", preferHeader, c.answer, op.listCodes())
	case atOnce && c.task != taskBehaviour{}:
		return fmt.Errorf("%s has no meaning with %s: code=201, which makes no task", taskHeader, preferHeader)
	case op.acts(c.answer):
	case !c.now.IsZero():
		return fmt.Errorf("%s has no meaning with %s, because a chosen answer has no effect", nowHeader, preferHeader)
	case c.task != taskBehaviour{}:
		return fmt.Errorf("%s has no meaning with %s, because a chosen answer has no effect", taskHeader, preferHeader)
	}
	return nil
}

// Bounds of Sandbox-Now. An id holds its second in 32 bits, which end in 2106, and a card may
// live for five years.
var (
	earliestNow = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	latestNow   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

var errNow = fmt.Errorf("%s must be a time with its zone from 2000 to 2099, such as 2028-02-29T23:59:59Z", nowHeader)

// parseNow reads a Sandbox-Now. The database keeps microseconds, and so does the result.
func parseNow(value string) (time.Time, error) {
	now, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || now.Before(earliestNow) || !now.Before(latestNow) {
		return time.Time{}, errNow
	}
	return now.UTC().Truncate(time.Microsecond), nil
}

var (
	errCode  = fmt.Errorf("%s: code must be a status such as code=429", preferHeader)
	errCodes = fmt.Errorf("%s: code must be sent once", preferHeader)
)

// preferredCode returns the code that a client prefers, or 0 if none. It ignores all other
// preferences, as RFC 7240 asks.
func preferredCode(values []string) (int, error) {
	code := 0
	for _, value := range values {
		for _, preference := range splitOutsideQuotes(value, ',') {
			// A semicolon begins the parameters of a preference. A code has no parameters, and
			// those of other preferences are ignored.
			preference = splitOutsideQuotes(preference, ';')[0]
			name, text, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "code") {
				continue
			}
			if code != 0 {
				return 0, errCodes
			}
			text = strings.TrimSpace(text)
			if quoted, err := strconv.Unquote(text); err == nil && strings.HasPrefix(text, `"`) {
				text = quoted
			}
			number, err := strconv.Atoi(text)
			if err != nil || len(text) != 3 || number < 100 || number > 599 {
				return 0, errCode
			}
			code = number
		}
	}
	return code, nil
}

// splitOutsideQuotes splits a header's value at a separator that is not in a quoted string.
func splitOutsideQuotes(value string, separator byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\\' && quoted:
			i++ // the next character stands for itself
		case value[i] == '"':
			quoted = !quoted
		case value[i] == separator && !quoted:
			parts = append(parts, value[begin:i])
			begin = i + 1
		}
	}
	return append(parts, value[begin:])
}

// refuse answers {"detail": "<sentence>"}, as the server does.
func (s *Sandbox) refuse(w http.ResponseWriter, status int, detail string) {
	s.answerJSON(w, status, map[string]string{"detail": detail})
}

// answerJSON writes an answer with its length.
func (s *Sandbox) answerJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil { // the sandbox's own types can always be encoded
		s.Logger.Error("answer of the sandbox not encoded", "error", err)
		status, encoded = http.StatusInternalServerError, []byte(`{"detail":"Internal Server Error"}`)
	}
	encoded = append(encoded, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	if _, err := w.Write(encoded); err != nil {
		s.Logger.Info("answer not sent", "error", err)
	}
}

// Package recordings reads recorded requests with the answers that they must get, and
// compares answers with them. The tests of the validator and those of the whole server use it.
// It knows the format of the files and nothing else.
package recordings

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The ids in the recorded requests.
const (
	Program  = "5eb7cf5a86d9755df3a6c593"
	Merchant = "5eb7cf5a86d9755df3a6c594"
)

// Now is the time at which the recorded requests are sent again, so that the dates in
// them do not pass.
var Now = time.Date(2028, time.January, 1, 0, 0, 0, 0, time.UTC)

// Case is one recorded request and the answer it must get.
type Case struct {
	ID      string
	Method  string
	Target  string // path and query, percent-encoded
	Headers map[string]string
	Body    []byte

	Expect Expectation
	Detail json.RawMessage // the detail of the 422; nil if any words will do
}

// Expectation says which statuses are right for a recorded request.
type Expectation int

// The expectations.
const (
	Refused  Expectation = iota // 422
	Accepted                    // 2xx
	// Valid allows a 2xx, and each refusal that depends on what is stored and not on the form of
	// the request.
	Valid
)

// String returns the expectation as a recording has it.
func (e Expectation) String() string {
	return [...]string{Refused: "422", Accepted: "2xx", Valid: "not 422"}[e]
}

// Group returns the operation of a case and its field or kind of fault, such as
// bulk/initialValue. It is the beginning of the ID.
func (c *Case) Group() string {
	parts := strings.SplitN(c.ID, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// Load reads every *.jsonl file of the directories, in the order of their names.
func Load(directories ...string) ([]Case, error) {
	var cases []Case
	for _, directory := range directories {
		files, err := filepath.Glob(filepath.Join(directory, "*.jsonl"))
		if err != nil {
			return nil, fmt.Errorf("find recordings: %w", err)
		}
		// A test of a misspelt directory would send nothing, and pass.
		if len(files) == 0 {
			return nil, fmt.Errorf("find recordings: none in %s", directory)
		}
		for _, file := range files {
			found, err := read(file)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			cases = append(cases, found...)
		}
	}
	return cases, nil
}

func read(file string) ([]Case, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var cases []Case
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		// The last line may come together with io.EOF, so the error is judged after the line.
		if len(bytes.TrimSpace(line)) > 0 {
			c, err := parse(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", len(cases)+1, err)
			}
			cases = append(cases, c)
		}
		if errors.Is(err, io.EOF) {
			return cases, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func parse(line []byte) (Case, error) {
	var r struct {
		ID, Method, Path string
		Headers          map[string]string
		Body             *string
		Base64           []byte `json:"body_base64"`
		Expect           struct {
			Status any
			Detail json.RawMessage
		}
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Case{}, err
	}
	// A body that is no text is recorded in Base64.
	c := Case{ID: r.ID, Method: r.Method, Target: r.Path, Headers: r.Headers, Body: r.Base64, Detail: r.Expect.Detail}
	if r.Body != nil {
		c.Body = []byte(*r.Body)
	}
	if err := unescape(&c.Detail); err != nil {
		return Case{}, err
	}
	switch r.Expect.Status {
	case "2xx":
		c.Expect = Accepted
	case "not 422":
		c.Expect = Valid
	case float64(http.StatusUnprocessableEntity):
		c.Expect = Refused
	default:
		return Case{}, fmt.Errorf("status %v is none of 422, 2xx and not 422", r.Expect.Status)
	}
	return c, nil
}

// unescape rewrites a text without \u escapes, because WithIDs could take their digits for
// the beginning of an id.
func unescape(text *json.RawMessage) error {
	if *text == nil {
		return nil
	}
	value, err := decode(*text)
	if err != nil {
		return err
	}
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(value)
	*text = bytes.TrimSpace(plain.Bytes())
	return err
}

// Allows reports whether the status is one that the case expects.
func (c *Case) Allows(status int) bool {
	switch c.Expect {
	case Accepted:
		return status/100 == 2
	case Valid:
		switch status {
		case http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
			return false
		}
		return status < http.StatusInternalServerError
	default:
		return status == http.StatusUnprocessableEntity
	}
}

// WithIDs returns the case for a program and merchant that exist. Their ids have 24
// lower-case hexadecimal digits. It also replaces recorded ids in capitals, and ids that
// lack the last digit.
func (c Case) WithIDs(program, merchant string) Case {
	r := strings.NewReplacer( // the first pair that matches wins
		Program, program, strings.ToUpper(Program), strings.ToUpper(program),
		Merchant, merchant, strings.ToUpper(Merchant), strings.ToUpper(merchant),
		Program[:23], program[:23],
	)
	c.Target = r.Replace(c.Target)
	c.Body = []byte(r.Replace(string(c.Body)))
	if c.Detail != nil {
		c.Detail = json.RawMessage(r.Replace(string(c.Detail)))
	}
	return c
}

// Difference says how the detail of a 422 differs from the recorded one. It is "" if they are
// equal. Numbers are compared by value, and keys may come in any order.
func (c *Case) Difference(detail []byte) string {
	got, err := decode(detail)
	if err != nil {
		return "the detail is not JSON: " + err.Error()
	}
	list, ok := got.([]any)
	if !ok {
		return "the detail is no list: " + string(detail)
	}
	// A case without a detail allows any words, but each element must have its three parts.
	for _, element := range list {
		if e, ok := element.(map[string]any); !ok || e["type"] == nil || e["loc"] == nil || e["msg"] == nil {
			return "an element lacks type, loc or msg: " + string(detail)
		}
	}
	if c.Detail == nil {
		return ""
	}
	want, err := decode(c.Detail)
	if err != nil {
		return "the recorded detail is not JSON: " + err.Error()
	}
	if !equal(got, want) {
		return fmt.Sprintf("got  %s\nwant %s", detail, c.Detail)
	}
	return ""
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if other, ok := b[key]; !ok || !equal(a[key], other) {
				return false
			}
		}
		return true
	case json.Number: // 1 and 1.0 are equal here
		b, ok := b.(json.Number)
		return ok && equalNumbers(a, b)
	default:
		return a == b
	}
}

// equalNumbers compares by value, as floats if one of the numbers has a point or an exponent,
// because Python reads such a number as a float.
func equalNumbers(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y && strings.ContainsAny(a.String()+b.String(), ".eE")
}

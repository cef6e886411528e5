package sandbox_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The table of docs/testing-against.md lists the cases that a client must handle. Each row gives
// the requests and their answers. cases_doc_test.go sends them. The form of the table:
//   - state: the name of a state, and its parameters; "a world" if it is empty.
//   - send: requests, with ", then " between them. The first code span of a request has method,
//     path and body, and the others are headers. "without a token" leaves the token out.
//   - answer: one for each request, again with ", then " between them.

const casesPage = "../../docs/testing-against.md"

var (
	span        = regexp.MustCompile("`([^`]*)`")
	placeholder = regexp.MustCompile(`\{(\w+)\}`)
	headerSpan  = regexp.MustCompile(`^[A-Z][A-Za-z-]*: `)
)

// documentedCase is a row of the table.
type documentedCase struct {
	name, state, params string
	steps               []step
}

// step is a request of a row and the answer that the row promises.
type step struct {
	method, path, body string
	headers            []string
	anonymous          bool

	status  int
	none    bool          // no answer comes
	within  time.Duration // how long the client waits for an answer that does not come; 0: for ever
	cut     int           // the body ends after so many bytes; -1: it is complete
	atLast  bool          // the request is repeated until this answer comes
	answers []string      // headers and parts of the body
}

// documentedCases reads the table.
func documentedCases(t *testing.T) (all []documentedCase) {
	t.Helper()
	page, err := os.ReadFile(casesPage)
	must(t, err)
	_, rest, found := strings.Cut(string(page), "| case | state | send | answer |\n|---|---|---|---|\n")
	if !found {
		t.Fatalf("%s has no table of cases", casesPage)
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			t.Fatalf("a row has %d cells: %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		row := documentedCase{name: cells[0], state: "a world"}
		if state := spans(cells[1]); len(state) > 0 {
			row.state, row.params = state[0], strings.Join(state[1:], "")
		}
		requests, answers := strings.Split(cells[2], ", then "), strings.Split(cells[3], ", then ")
		if len(requests) != len(answers) {
			t.Fatalf("%s: %d requests and %d answers", row.name, len(requests), len(answers))
		}
		for i := range requests {
			one := newStep(t, requests[i])
			one.expect(t, answers[i])
			row.steps = append(row.steps, one)
		}
		all = append(all, row)
	}
	return all
}

// spans returns the code spans of a cell.
func spans(cell string) (found []string) {
	for _, match := range span.FindAllStringSubmatch(cell, -1) {
		found = append(found, match[1])
	}
	return found
}

// words returns what a cell says outside of code spans.
func words(cell string) string {
	return strings.Join(strings.Fields(span.ReplaceAllString(cell, "")), " ")
}

func newStep(t *testing.T, cell string) step {
	t.Helper()
	sent := spans(cell)
	if len(sent) == 0 {
		t.Fatalf("%q sends nothing", cell)
	}
	s := step{headers: sent[1:], cut: -1}
	s.method, s.path, _ = strings.Cut(sent[0], " ")
	s.path, s.body, _ = strings.Cut(s.path, " ")
	for _, header := range s.headers {
		if !headerSpan.MatchString(header) {
			t.Fatalf("%q is no header", header)
		}
	}
	switch said := words(cell); said {
	case "":
	case "without a token":
		s.anonymous = true
	default:
		t.Fatalf("what is %q in %q?", said, cell)
	}
	return s
}

func (s *step) expect(t *testing.T, cell string) {
	t.Helper()
	s.answers = spans(cell)
	said := words(cell)
	said, s.atLast = strings.CutPrefix(said, "at last ")
	if wait, ok := strings.CutPrefix(said, "no answer within "); ok {
		d, err := time.ParseDuration(strings.ReplaceAll(wait, " ", ""))
		must(t, err)
		s.none, s.within = true, d
		return
	}
	if s.none = said == "no answer"; s.none {
		return
	}
	said, cut, ok := strings.Cut(said, ", cut after ")
	var err error
	if ok {
		s.cut, err = strconv.Atoi(strings.TrimSuffix(cut, " bytes"))
		must(t, err)
	}
	s.status, err = strconv.Atoi(said)
	must(t, err)
}

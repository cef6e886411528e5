package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store/storetest/check"
)

// TestEachDocumentedCaseIsAnsweredAsTheTableSays sends every row of docs/testing-against.md.
func TestEachDocumentedCaseIsAnsweredAsTheTableSays(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for i, row := range documentedCases(t) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			in := &box{Server: b.Server, URL: b.URL, t: t}
			values := in.state(fmt.Sprintf("row-%d", i), row.state, row.params)
			values["cards"], values["card"] = values.cards(), values.card()
			for _, s := range row.steps {
				if !s.atLast {
					if difference := in.difference(values, s); difference != "" {
						t.Fatalf("%s %s: %s", s.method, s.path, difference)
					}
					continue
				}
				check.Until(t, s.path+" with "+strings.Join(s.answers, ", "), func() bool { return in.difference(values, s) == "" })
			}
		})
	}
}

// difference sends the request of a step, and says how the answer differs from the promised one.
// The texts of the answer are values for the steps that follow.
func (b *box) difference(values made, s step) string {
	b.t.Helper()
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(name string) string {
			value, ok := values[strings.Trim(name, "{}")]
			if !ok {
				b.t.Fatalf("nothing has given %s", name)
			}
			return fmt.Sprint(value)
		})
	}
	ctx, cancel := b.t.Context(), func() {}
	if s.within > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.within)
	}
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, s.method, b.URL+strings.TrimPrefix(fill(s.path), b.URL), strings.NewReader(fill(s.body)))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/json")
	if strings.Contains(s.body, "=") && !strings.Contains(s.body, "{\"") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !s.anonymous {
		r.Header.Set("Authorization", "Bearer "+values.text("token"))
	}
	for _, header := range s.headers {
		name, value, _ := strings.Cut(fill(header), ": ")
		r.Header.Set(name, value)
	}
	// A new connection, because Go's client sends a request again if a used connection breaks.
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	switch {
	case s.none && err == nil:
		response.Body.Close()
		return fmt.Sprintf("an answer came: %d", response.StatusCode)
	case s.none:
		return ""
	case err != nil:
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if difference := s.compare(response, body, err); difference != "" {
		return difference
	}
	if s.cut < 0 {
		if err := servertest.UndeclaredInSandbox(r, response, body); err != nil {
			b.t.Errorf("the answer is not as the sandbox's document says: %v\n%.1000s", err, body)
		}
	}
	var answered map[string]any
	if json.Unmarshal(body, &answered) == nil {
		for name, value := range answered {
			if text, ok := value.(string); ok {
				values[name] = text
			}
		}
	}
	return ""
}

// compare says how an answer differs from the promised one. broken is the error of reading its
// body, nil if the body is complete.
func (s step) compare(response *http.Response, body []byte, broken error) string {
	switch {
	case response.StatusCode != s.status:
		return fmt.Sprintf("%d %.1000s, want %d", response.StatusCode, body, s.status)
	case s.cut >= 0 && (broken == nil || len(body) != s.cut):
		return fmt.Sprintf("%d bytes came, and then %v", len(body), broken)
	case s.cut < 0 && broken != nil:
		return broken.Error()
	}
	for _, want := range s.answers {
		if !headerSpan.MatchString(want) {
			if !strings.Contains(string(body), want) {
				return fmt.Sprintf("the body %.1000s has no %s", body, want)
			}
			continue
		}
		name, value, _ := strings.Cut(want, ": ")
		if got := response.Header.Get(name); got == "" || value != "…" && got != value {
			return fmt.Sprintf("the header %s is %q, want %s", name, got, value)
		}
	}
	return ""
}

// TestTheTableOfCasesHasEachStatusAndEachControl: the author of a client finds each status that
// the document declares, and each header of the sandbox.
func TestTheTableOfCasesHasEachStatusAndEachControl(t *testing.T) {
	t.Parallel()
	promised, controls := map[string]bool{}, map[string]bool{}
	for _, row := range documentedCases(t) {
		for _, s := range row.steps {
			promised[strconv.Itoa(s.status)] = true
			for _, header := range s.headers {
				kind, _, _ := strings.Cut(header, "=")
				if strings.HasPrefix(header, "Sandbox-Now: ") {
					kind = "Sandbox-Now: "
				}
				controls[kind] = true
			}
		}
	}
	for _, declared := range declaredAnswers(t) {
		if !promised[declared.status] {
			t.Errorf("no row is answered with %s, which %s %s declares", declared.status, declared.method, declared.path)
			promised[declared.status] = true // once is enough
		}
	}
	for _, control := range []string{
		"Prefer: code", "Sandbox-Fault: lost-answer", "Sandbox-Fault: slow", "Sandbox-Fault: cut", "Sandbox-Fault: down",
		"Sandbox-Task: failed", "Sandbox-Task: slow", "Sandbox-Task: stuck", "Sandbox-Now: ",
	} {
		if !controls[control] {
			t.Errorf("no row sends %s", control)
		}
	}
}

// TestTheTableOfCasesHasEachRefusalOfACard: each sentence with which the store refuses an
// operation on a card or a program.
func TestTheTableOfCasesHasEachRefusalOfACard(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../store/errors.go")
	must(t, err)
	var promised strings.Builder
	for _, row := range documentedCases(t) {
		for _, s := range row.steps {
			promised.WriteString(strings.Join(s.answers, "\n") + "\n")
		}
	}
	refusals := regexp.MustCompile(`Kind: (?:Refused|Forbidden|WrongCode|Busy), Message: "([^"]*)"`).FindAllStringSubmatch(string(source), -1)
	if len(refusals) < 20 {
		t.Fatalf("only %d refusals are declared", len(refusals))
	}
	for _, refusal := range refusals {
		if !strings.Contains(promised.String(), refusal[1]) {
			t.Errorf("no row is answered with %q", refusal[1])
		}
	}
}

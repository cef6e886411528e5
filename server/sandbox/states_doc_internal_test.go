package sandbox

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of states into docs/sandbox.md instead of comparing it")

const (
	statesPage  = "../../docs/sandbox.md"
	statesBegin = "<!-- states -->\n"
	statesEnd   = "<!-- /states -->\n"
)

// stateTable returns the table of states in Markdown, as the documentation must have it.
func stateTable() string {
	var table strings.Builder
	table.WriteString("\n| state | what it is | parameters | values |\n|---|---|---|---|\n")
	for _, st := range states {
		var params, values []string
		for _, p := range st.params {
			switch {
			case p.name == "world": // of every state
			case p.value != "":
				params = append(params, "`"+p.name+"` ("+p.value+")")
			default:
				params = append(params, "`"+p.name+"`")
			}
		}
		for _, value := range st.values {
			if !slices.Contains(worldValues, value) {
				values = append(values, "`"+value+"`")
			}
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", st.name, st.about, strings.Join(params, ", "), strings.Join(values, ", "))
	}
	return table.String() + "\n"
}

// TestTheDocumentedStatesAreThoseOfTheTable writes the documentation with -update.
func TestTheDocumentedStatesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(statesPage)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), statesBegin)
	documented, foot, closed := strings.Cut(rest, statesEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the states", statesPage)
	}
	want := stateTable()
	if *update {
		if err := os.WriteFile(statesPage, []byte(head+statesBegin+want+statesEnd+foot), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if documented != want {
		t.Errorf("%s is not current: run go test ./server/sandbox -run %s -update\nit has\n%s\nwant\n%s", statesPage, t.Name(), documented, want)
	}
}

// TestEveryParameterAndValueOfAStateIsExplained in GET /sandbox/states.
func TestEveryParameterAndValueOfAStateIsExplained(t *testing.T) {
	t.Parallel()
	for _, st := range states {
		for _, name := range st.returns() {
			if meanings[name] == "" {
				t.Errorf("%s: nothing says what %s is", st.name, name)
			}
		}
		for _, p := range st.params {
			if p.about == "" || p.value != "" && !p.fits(p.value) {
				t.Errorf("%s: parameter %+v", st.name, p)
			}
		}
	}
}

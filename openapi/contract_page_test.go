package openapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/contract.md instead of comparing it")

const (
	contractPage = "../docs/contract.md"
	tableBegins  = "<!-- This table is made of lifecycle.json: go test ./openapi -update -->\n"
	tableEnds    = "<!-- The end of the table. -->"
)

// TestTheContractPageSaysHowSureEachOperationIs: nobody may take a guess for the vendor's
// word. With -update, the table is written.
func TestTheContractPageSaysHowSureEachOperationIs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(contractPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), tableBegins)
	got, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", contractPage)
	}
	want := confidenceTable(t)
	if *update {
		if err := os.WriteFile(contractPage, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s is not current: run go test ./openapi -update", contractPage)
	}
}

// confidenceTable has a row for each operation of lifecycle.json, in the order of the file.
func confidenceTable(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("lifecycle.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths json.RawMessage
	}
	var table strings.Builder
	table.WriteString("| operation | what the vendor's pages show | what is reconstructed |\n|---|---|---|\n")
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	inOrder(t, document.Paths, func(_ string, item json.RawMessage) {
		inOrder(t, item, func(_ string, operation json.RawMessage) {
			var o struct {
				OperationID string   `json:"operationId"`
				Confidence  string   `json:"x-confidence"`
				Guessed     []string `json:"x-guessed"`
			}
			if err := json.Unmarshal(operation, &o); err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(o.OperationID, "_")
			if o.Confidence == "" || len(o.Guessed) == 0 {
				t.Errorf("%s does not say how sure it is", name)
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, o.Confidence, strings.Join(o.Guessed, "; "))
		})
	})
	return table.String()
}

// inOrder calls do for each member of a JSON object, in the order of the text.
func inOrder(t *testing.T, object json.RawMessage, do func(name string, value json.RawMessage)) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := decoder.Token(); err != nil { // the opening brace
		t.Fatal(err)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		do(name.(string), value)
	}
}

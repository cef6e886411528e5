package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheProgramShowsTheLicenceOfEveryModule compares the texts in the program with
// docs/dependencies.md. `make verify` proves that both are current.
func TestTheProgramShowsTheLicenceOfEveryModule(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/dependencies.md")
	must(t, err)
	code, stdout, stderr := command(t, "", "licences")
	if code != 0 || stderr != "" {
		t.Fatalf("%d %s", code, stderr)
	}
	rows := regexp.MustCompile("(?m)^\\| `(.+?)` \\| (\\S+) \\|").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 50 {
		t.Fatalf("the page lists only %d modules", len(rows))
	}
	for _, row := range rows {
		if !strings.Contains(stdout, "\n"+row[1]+" "+row[2]+", ") {
			t.Errorf("no licence of %s %s", row[1], row[2])
		}
	}
	for _, part := range []string{
		"\nGo's standard library, LICENSE\n", "\nScalar, ", "\nPostgreSQL, ", "Copyright 2009 The Go Authors", "Copyright (c) 2023-present Scalar",
		"Mozilla Public License", "Apache License", ", NOTICE\n",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("%q is missing", part)
		}
	}
}

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// TestTheGoExampleOfTheSandboxRuns runs docs/examples/sandbox/go as a team would, against a
// sandbox. `make examples` runs the other languages too.
func TestTheGoExampleOfTheSandboxRuns(t *testing.T) {
	t.Parallel()
	full.Only()
	server := processtest.Serve(t, processtest.StateDir(t), processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true", "DATABASE_URL="+storetest.URL(t))
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "./...")
	cmd.Dir = "../../docs/examples/sandbox/go"
	cmd.Env = append(os.Environ(), "GIFTCARDS_SANDBOX_URL="+server.URL(), "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS: ") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheStartOfTestingAgainstTheServerWorksAsItIsPasted: a world, a card and a state, by the
// commands of docs/testing-against.md.
func TestTheStartOfTestingAgainstTheServerWorksAsItIsPasted(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/testing-against.md")
	must(t, err)
	dir := processtest.StateDir(t)
	server := processtest.Serve(t, dir, processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true", "DATABASE_URL="+storetest.URL(t))
	var text strings.Builder
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		if block[1] != "make sandbox\n" { // this has happened
			text.WriteString(block[1])
		}
	}
	commands := strings.ReplaceAll(text.String(), "http://127.0.0.1:8080", server.URL())
	for name, shell := range shells() {
		out := pasteInto(t, shell, nil, []string{"HOME=" + dir}, commands)
		for _, want := range []string{"HTTP/1.1 201 ", `"status":"pending"`, `"status":"expired"`, `"world":"second"`} {
			if strings.Count(out, want) != 1 {
				t.Errorf("%s: not once %q in\n%s", name, want, out)
			}
		}
	}
}

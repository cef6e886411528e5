package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/processtest"
)

// TestTheGoExampleOfTheSandboxRuns runs docs/examples/sandbox/go as a team would, against a
// sandbox. `make examples` runs the other languages too.
func TestTheGoExampleOfTheSandboxRuns(t *testing.T) {
	t.Parallel()
	dir := processtest.StateDir(t)
	server := processtest.Serve(t, dir, processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "./...")
	cmd.Dir = "../../docs/examples/sandbox/go"
	cmd.Env = append(os.Environ(), "GIFTCARDS_SANDBOX_URL="+server.URL(), "GOFLAGS=-buildvcs=false")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS: ") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"giftcards/store/storetest"
)

// TestMain runs the command instead of the tests when a test starts this binary for it.
func TestMain(m *testing.M) {
	if os.Getenv("WITHSERVER") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestCommandGetsAServerThatIsGoneAfterwards(t *testing.T) {
	t.Parallel()
	out, err := withserver(t, "", "sh", "-c", `echo "$`+storetest.Variable+`"; exit 3`).Output()
	if got := fmt.Sprint(err); got != "exit status 3" {
		t.Errorf("ended with %s", got)
	}
	address := strings.TrimSpace(string(out))
	_, rest, _ := strings.Cut(address, "host=")
	dir, _, _ := strings.Cut(rest, "&")
	if !strings.HasPrefix(dir, "/") {
		t.Fatalf("address %q", address)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
}

func TestServerNamedIsUsed(t *testing.T) {
	t.Parallel()
	out, err := withserver(t, "postgres://own", "sh", "-c", `echo "$`+storetest.Variable+`"`).Output()
	if err != nil || string(out) != "postgres://own\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestSignalsReachTheCommandWhoseStatusIsKept(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done`: "exit status 7",
		`echo ready; exec sleep 60`:                                    "exit status 143",
	} {
		cmd := withserver(t, "postgres://own", "sh", "-c", script)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line := bufio.NewScanner(out); !line.Scan() {
			t.Error("the command did not start")
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cmd.Wait()); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

func TestCommandThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	out, err := withserver(t, "postgres://own", "/no/such/command").CombinedOutput()
	if got := fmt.Sprint(err); got != "exit status 1" || !strings.Contains(string(out), "/no/such/command") {
		t.Errorf("%s: %s", got, out)
	}
	out, err = withserver(t, "").CombinedOutput()
	if got := fmt.Sprint(err); got != "exit status 2" || !strings.Contains(string(out), "usage:") {
		t.Errorf("%s: %s", got, out)
	}
}

func withserver(t *testing.T, server string, command ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, command...)
	cmd.Env = append(os.Environ(), "WITHSERVER=1", "GORACE=atexit_sleep_ms=0", storetest.Variable+"="+server)
	return cmd
}

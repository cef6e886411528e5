//go:build unix

package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const helperVariable = "GIFTCARDS_TEST_HELPER" // the program as which the test binary runs

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "":
		code := m.Run()
		_ = os.RemoveAll(clusterDir)
		os.Exit(code)
	case "serve": // keeps a server on the given directory until it is killed
		s, err := Start(context.Background(), Options{StateDir: os.Args[1]}) //nolint:forbidigo // this is its main
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, s.URL())
	case "watch": // starts a child, and a shell that ends the child when this process is killed
		child := exec.Command("/bin/sleep", "3600")
		if err := child.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := watchUs(&process{cmd: child, done: make(chan struct{})}, syscall.SIGINT); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, child.Process.Pid)
	case "idle": // does nothing, as a program that is not PostgreSQL
		fmt.Fprintln(os.Stdout, "idle")
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // the end of the test closes the pipe
}

// helper prepares the test binary to run as another program. kind chooses the program in TestMain.
// args are its arguments, and args[0] is its name.
func helper(t *testing.T, runAs account, kind string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if runAs.credential != nil { // this account cannot enter the directory of test binaries
		binary, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		self = filepath.Join(filepath.Dir(newStateDir(t)), "helper")
		// A process that another test forks meanwhile would keep the file open for writing, and
		// the system executes no such file.
		syscall.ForkLock.RLock()
		err = os.WriteFile(self, binary, 0o755)
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := runAs.command(t.Context(), self)
	cmd.Args = args
	cmd.Env = append(os.Environ(), helperVariable+"="+kind, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// run starts a helper and returns the line that it prints when it is ready.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the helper said nothing")
	}
	return lines.Text()
}

func startHelper(t *testing.T, kind, arg string) (*exec.Cmd, string) {
	t.Helper()
	cmd := helper(t, account{}, kind, "helper", arg)
	return cmd, run(t, cmd)
}

// newStateDir returns the path of a state directory that does not exist yet. PostgreSQL's user
// can enter its parent.
func newStateDir(t *testing.T) string {
	t.Helper()
	var in string
	if hasRoom(sharedMemory) {
		in = sharedMemory
	}
	parent, err := os.MkdirTemp(in, "embedded-") //nolint:usetesting // only this account could enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(parent, "state")
}

func start(t *testing.T, state string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

func startEphemeral(t *testing.T) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, url, sql string) (value string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %q, want one with %q", fmt.Sprint(err), part)
	}
}

func pidIn(t *testing.T, data string) int {
	t.Helper()
	found, err := readPidFile(data)
	if err != nil {
		t.Fatal(err)
	}
	return found.pid
}

// waitGone returns when the process has ended, even if init has not reaped it yet. It fails after
// a minute.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute process %d still runs", pid)
		}
		if line, err := commandLine(pid); err == nil && line == "" {
			return
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

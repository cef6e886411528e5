//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// stoppedCluster is a state directory with a cluster that no PostgreSQL runs on.
type stoppedCluster struct {
	state, data string
	runAs       account // the owner of the data
}

// newStoppedCluster copies one cluster for all tests, because initdb is slow.
func newStoppedCluster(t *testing.T) stoppedCluster {
	t.Helper()
	once.Do(func() { clusterDir, errCluster = makeCluster(context.WithoutCancel(t.Context())) })
	if errCluster != nil {
		t.Fatal(errCluster)
	}
	state := newStateDir(t)
	data := filepath.Join(state, "data")
	if out, err := exec.Command("cp", "-Rp", filepath.Join(clusterDir, "state"), state).CombinedOutput(); err != nil {
		t.Fatalf("copy the cluster: %v %s", err, out)
	}
	runAs, err := (&Server{}).chooseAccount(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	return stoppedCluster{state: state, data: data, runAs: runAs}
}

var (
	once       sync.Once
	clusterDir string // the state directory that newStoppedCluster copies
	errCluster error
)

// makeCluster starts and stops a PostgreSQL on a new directory, which TestMain removes.
func makeCluster(ctx context.Context) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "embedded-"); err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return dir, err
	}
	s, err := Start(ctx, Options{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		return dir, err
	}
	return dir, s.Stop(ctx)
}

// TestAStalePidFileDoesNotKeepPostgreSQLFromStarting: the process that the file names is stopped
// only if it is a postmaster on the data. The cases share a cluster, because each leaves it
// stopped.
func TestAStalePidFileDoesNotKeepPostgreSQLFromStarting(t *testing.T) {
	t.Parallel()
	c := newStoppedCluster(t)
	idle := helper(t, c.runAs, "idle", "idle")
	run(t, idle)
	for name, content := range map[string]string{
		"an empty pid file":                     "",
		"garbage":                               "\x00\x00garbage",
		"pid 0":                                 "0\n",
		"pid 1":                                 "1\n",
		"a negative pid":                        "-1\n",
		"a pid of nobody":                       "99999999\n",
		"a live process that is no PostgreSQL":  fmt.Sprintln(idle.Process.Pid) + c.data + "\n",
		"our own pid":                           fmt.Sprintln(os.Getpid()) + c.data + "\n",
		"a ready line of a process that is not": "99999999\n" + c.data + "\n1\n5432\n/nowhere\n\n\nready   \n",
	} {
		t.Run(name, func(t *testing.T) {
			writePidFile(t, c.runAs, c.data, content)
			stop(t, start(t, c.state))
			if !alive(idle.Process.Pid) {
				t.Error("a process that is not a postmaster was stopped")
			}
		})
	}
}

// TestAnOrphanIsStoppedAndReplaced: a postmaster whose giftcards process has died.
func TestAnOrphanIsStoppedAndReplaced(t *testing.T) {
	t.Parallel()
	c := newStoppedCluster(t)
	p, err := (&Server{}).finder(Options{}, c.runAs).find(t.Context(), 0, c.data)
	if err != nil {
		t.Fatal(err)
	}
	socketDir, err := makeSocketDir(c.state, c.runAs)
	if err != nil {
		t.Fatal(err)
	}
	orphan := c.runAs.command(t.Context(), filepath.Join(p.dir, "postgres"), "-D", c.data, "-k", socketDir, "-c", "listen_addresses=")
	child, err := launch(orphan, syscall.SIGQUIT)
	if err != nil {
		t.Fatal(err)
	}
	if err := waitReady(t.Context(), child, c.data, socketDir); err != nil {
		t.Fatal(err)
	}

	s := start(t, c.state)
	if <-child.done; child.err != nil {
		t.Errorf("the orphan was not stopped in good order: %v", child.err)
	}
	if got := pidIn(t, c.data); got != s.postmaster.pid() {
		t.Errorf("process %d serves, not ours", got)
	}
	stop(t, s)
}

// TestStartFailsIfAProcessMayBeAPostmasterOnTheData, because two postmasters would destroy the
// data. The process is not stopped.
func TestStartFailsIfAProcessMayBeAPostmasterOnTheData(t *testing.T) {
	t.Parallel()
	c := newStoppedCluster(t)
	perhaps := helper(t, c.runAs, "idle", "/usr/bin/postgres", "-D", "elsewhere")
	run(t, perhaps)
	writePidFile(t, c.runAs, c.data, fmt.Sprintln(perhaps.Process.Pid))
	_, err := Start(t.Context(), Options{StateDir: c.state})
	wantError(t, err, fmt.Sprintf("process %d may be a PostgreSQL server on %s: stop it, or remove", perhaps.Process.Pid, c.data))
	if !alive(perhaps.Process.Pid) {
		t.Error("it was stopped")
	}
}

func TestLeftoversOfKilledStartsAreRemoved(t *testing.T) {
	t.Parallel()
	c := newStoppedCluster(t)
	for _, name := range []string{"data.new-1", "sock-1"} {
		if err := os.MkdirAll(filepath.Join(c.state, name, "base"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, start(t, c.state))
	if got := names(t, c.state); got != "data lock pg_hba.conf pg_ident.conf postgres.log" {
		t.Errorf("the state directory contains %s", got)
	}
}

// TestAFailedStartQuotesPostgreSQLsLog in one line.
func TestAFailedStartQuotesPostgreSQLsLog(t *testing.T) {
	t.Parallel()
	c := newStoppedCluster(t)
	config, err := os.OpenFile(filepath.Join(c.data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer config.Close()
	if _, err := config.WriteString("nonsense = 1\n"); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{StateDir: c.state})
	wantError(t, err, `unrecognized configuration parameter "nonsense"`)
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has more than one line", err)
	}
}

func TestLeftoverFileWithOurProcessIDIsNotReadiness(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	child := helper(t, account{}, "idle", "idle")
	run(t, child)
	writePidFile(t, account{}, data, fmt.Sprintf("%d\n%s\n1\n5432\n/old/sock\n\n\nready   \n", child.Process.Pid, data))
	p := &process{cmd: child, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waitReady(ctx, p, data, "/new/sock"); !errors.Is(err, context.Canceled) {
		t.Errorf("for the new socket: %v", err)
	}
	if err := waitReady(ctx, p, data, "/old/sock"); err != nil {
		t.Errorf("for that in the file: %v", err)
	}
}

func writePidFile(t *testing.T, runAs account, data, content string) {
	t.Helper()
	if err := os.WriteFile(pidFilePath(data), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runAs.chown(pidFilePath(data)); err != nil {
		t.Fatal(err)
	}
}

//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)

	first := start(t, state)
	execute(t, first.URL(), `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')`)
	firstURL := first.URL()
	stop(t, first)
	if left, _ := filepath.Glob(filepath.Join(state, "sock-*")); len(left) > 0 {
		t.Errorf("Stop left %v", left)
	}

	second := start(t, state)
	if got := query(t, second.URL(), `SELECT word FROM kept`); got != "yes" {
		t.Errorf("after a restart: %q", got)
	}
	if second.URL() == firstURL {
		t.Error("the socket directory was used again")
	}
}

func TestServerIsSafeAndPrivate(t *testing.T) {
	t.Parallel()
	s := start(t, newStateDir(t))
	for _, test := range []struct{ url, sql, want string }{
		{s.URL(), `SELECT current_user || '@' || current_database()`, "giftcards@giftcards"},
		{s.URL(), `SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user`, "false"},
		{s.URL(), `SELECT rolcreatedb::text FROM pg_roles WHERE rolname = current_user`, "false"},
		{s.URL(), `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()`, "giftcards"},
		{s.AdminURL(), `SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user`, "true"},
		{s.URL(), `SHOW listen_addresses`, ""},
		{s.URL(), `SHOW fsync`, "on"},
		{s.URL(), `SHOW synchronous_commit`, "on"},
		{s.SetupURL(), `SHOW synchronous_commit`, "off"},
		{s.SetupURL(), `SELECT current_user || '@' || current_database()`, "giftcards@giftcards"},
		{s.URL(), `SHOW full_page_writes`, "on"},
		{s.URL(), `SHOW data_checksums`, "on"},
		{s.URL(), `SHOW server_encoding`, "UTF8"},
		{s.AdminURL(), `SELECT string_agg(type || ' ' || auth_method, ',') FROM pg_hba_file_rules`, "local peer"},
	} {
		if got := query(t, test.url, test.sql); got != test.want {
			t.Errorf("%s: %q, want %q", test.sql, got, test.want)
		}
	}
	for path, want := range map[string]os.FileMode{s.socketDir: 0o700, s.logPath(): 0o600, filepath.Join(s.stateDir, "data"): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestSecondServerOnOneDirectoryIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	s := start(t, state)

	link := filepath.Join(filepath.Dir(state), "link")
	if err := os.Symlink(state, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{state, link} {
		_, err := Start(t.Context(), Options{StateDir: dir})
		if !errors.Is(err, ErrLocked) {
			t.Errorf("error %v, want ErrLocked", err)
		}
		wantError(t, err, fmt.Sprintf("in use by process %d: stop that process or", os.Getpid()))
	}
	if got := query(t, s.URL(), `SELECT 'alive'`); got != "alive" {
		t.Errorf("the first server says %q", got)
	}
}

func TestRunningFindsTheServerOfAnotherProcessOnlyWhileThereIsOne(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	if url, running := Running(state); running {
		t.Errorf("before the first start: %s", url)
	}
	s := start(t, state)
	pidFile, err := os.ReadFile(pidFilePath(filepath.Join(state, "data")))
	if err != nil {
		t.Fatal(err)
	}
	if url, running := Running(state); !running || url != s.URL() {
		t.Errorf("while it runs: %s, %v", url, running)
	}
	stop(t, s)
	if url, running := Running(state); running {
		t.Errorf("after Stop: %s", url)
	}
	_, rest, _ := strings.Cut(string(pidFile), "\n")
	left := fmt.Sprintf("%d\n%s", os.Getpid(), rest) // another process has its id by now
	if err := os.WriteFile(pidFilePath(filepath.Join(state, "data")), []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	if url, running := Running(state); running {
		t.Errorf("by a file left over: %s", url)
	}
}

func TestServerDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	helper, said := startHelper(t, "serve", state)
	execute(t, said, `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')`)
	postmaster := pidIn(t, filepath.Join(state, "data"))

	helper.Process.Kill()
	helper.Wait()
	waitGone(t, postmaster)

	s := start(t, state)
	if got := query(t, s.URL(), `SELECT word FROM kept`); got != "yes" {
		t.Errorf("after the kill: %q", got)
	}
}

func TestShellEndsTheChildWhereTheKernelCannot(t *testing.T) {
	t.Parallel()
	helper, said := startHelper(t, "watch", "")
	var pid int
	if _, err := fmt.Sscan(said, &pid); err != nil {
		t.Fatal(err)
	}
	helper.Process.Kill()
	helper.Wait()
	waitGone(t, pid)
}

func TestErrSaysWhyPostgreSQLEndedAndTheNextStartRecovers(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	s := start(t, state)
	execute(t, s.URL(), `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')`)
	if err := s.Err(); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	if err := syscall.Kill(s.postmaster.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	wantError(t, s.Err(), "PostgreSQL ended by itself: signal: killed; its log is "+s.logPath())
	stop(t, s)

	if got := query(t, start(t, state).URL(), `SELECT word FROM kept`); got != "yes" {
		t.Errorf("after recovery: %q", got)
	}
}

func TestStopMayBeCalledTwiceAndIsNoError(t *testing.T) {
	t.Parallel()
	s := startEphemeral(t)
	stop(t, s)
	stop(t, s)
	<-s.Done()
	if err := s.Err(); err != nil {
		t.Errorf("after Stop: %v", err)
	}
}

func TestStartEndsWithItsContextAndLeavesTheDirectoryFree(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{StateDir: state}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	held, err := lockDir(state)
	if err != nil {
		t.Fatal(err)
	}
	held.release()
	for _, pattern := range []string{"data*", "sock-*"} {
		if left, _ := filepath.Glob(filepath.Join(state, pattern)); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
}

func TestStartNeedsAStateDirectoryUnlessEphemeral(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{})
	wantError(t, err, "no state directory is set")
	_, err = Start(t.Context(), Options{StateDir: t.TempDir(), Ephemeral: true})
	wantError(t, err, "chooses its own state directory")
}

func TestEphemeralServerLeavesNothingAndMayCreateDatabases(t *testing.T) {
	t.Parallel()
	s := startEphemeral(t)
	execute(t, s.URL(), `CREATE DATABASE another`)
	for setting, want := range map[string]string{"fsync": "off", "max_connections": "1000"} {
		if got := query(t, s.URL(), `SHOW `+setting); got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	stop(t, s)
	if _, err := os.Stat(s.stateDir); !os.IsNotExist(err) {
		t.Errorf("Stop left %s (%v)", s.stateDir, err)
	}
}

func TestSweepRemovesOnlyDeadEphemeralDirectories(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, name := range []string{"giftcards-test-dead", "giftcards-test-held", "another"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	held, err := lockDir(filepath.Join(parent, "giftcards-test-held"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.release()

	sweepEphemeral(parent, time.Hour)
	if got := names(t, parent); got != "another giftcards-test-dead giftcards-test-held" {
		t.Errorf("a fresh directory was removed: %s are left", got)
	}
	sweepEphemeral(parent, 0)
	if got := names(t, parent); got != "another giftcards-test-held" {
		t.Errorf("%s are left", got)
	}
}

func TestAddressIsCompleteForEveryPath(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/run/sock-1", "/a b/c+d/é&f=g/%2F", "/C:/@?#"} {
		s := &Server{socketDir: dir}
		config, err := pgx.ParseConfig(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		if config.Host != dir || config.Port != 5432 || config.User != "giftcards" || config.Database != "giftcards" || config.TLSConfig != nil {
			t.Errorf("%s reads as %q port %d user %q database %q", s.URL(), config.Host, config.Port, config.User, config.Database)
		}
		if _, err := url.Parse(s.URL()); err != nil || strings.Contains(s.URL(), "+") { // libpq does not read + as a blank
			t.Errorf("%s is not an address for all (%v)", s.URL(), err)
		}
	}
}

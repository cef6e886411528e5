package storetest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/storetest"
)

func TestDatabaseHasTheCurrentSchemaAndAnOddTimeZone(t *testing.T) {
	t.Parallel()
	address := storetest.URL(t)
	versions, err := store.MigrationVersions(t.Context(), address)
	if err != nil || !versions.Current() {
		t.Errorf("schema %+v, %v", versions, err)
	}
	if got := query(t, address, `SHOW timezone`); got != "Pacific/Chatham" {
		t.Errorf("time zone %s", got)
	}
	if got := query(t, address, `SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user`); os.Getenv(storetest.Variable) == "" && got != "false" {
		t.Error("tests run as a superuser, production does not")
	}
}

func TestDatabasesOfOneTestAreSeparate(t *testing.T) {
	t.Parallel()
	one, other := storetest.URL(t), storetest.URL(t)
	execute(t, one, `CREATE TABLE only_here (x int)`)
	execute(t, other, `CREATE TABLE only_here (x int)`)
}

func TestManyTestsGetDatabasesAtOnce(t *testing.T) {
	t.Parallel()
	var all []string
	var mu sync.Mutex
	t.Run("at once", func(t *testing.T) {
		for i := range 12 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				name := query(t, storetest.URL(t), `SELECT current_database()`)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, name)
			})
		}
	})
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != 12 {
		t.Errorf("12 tests had %d databases", got)
	}
}

func TestDatabaseIsDroppedThoughSessionsAreOpen(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("user", func(t *testing.T) {
		conn := connect(t, storetest.URL(t))
		t.Cleanup(func() { name = conn.Config().Database }) // and does not close it
	})
	if got := query(t, storetest.URL(t), `SELECT count(*)::text FROM pg_database WHERE datname = '`+name+`'`); got != "0" {
		t.Errorf("database %s is still there", name)
	}
}

// TestProbe runs in the processes that TestEachProcessHasAServerToTestWithOrFails starts.
func TestProbe(t *testing.T) {
	t.Parallel()
	if os.Getenv("STORETEST_PROBE") != "" {
		fmt.Fprintln(os.Stdout, "probe", storetest.URL(t))
	}
}

func TestEachProcessHasAServerToTestWithOrFails(t *testing.T) {
	t.Parallel()
	ours := storetest.URL(t)

	t.Run("is the one named", func(t *testing.T) {
		t.Parallel()
		if theirs := probe(t, ours); host(t, theirs) != host(t, ours) {
			t.Errorf("server %s, want that of %s", theirs, ours)
		}
	})
	t.Run("is its own where none is named, and ends with it", func(t *testing.T) {
		t.Parallel()
		theirs := probe(t, "")
		if host(t, theirs) == host(t, ours) {
			t.Fatalf("server %s, which is ours", theirs)
		}
		// The private server ends with its process, so connections fail after a moment.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("after a minute the server still takes connections")
			}
			conn, err := pgx.Connect(t.Context(), theirs)
			if err != nil && !strings.Contains(err.Error(), "3D000") { // the database is gone, the server is not
				break
			}
			if err == nil {
				conn.Close(t.Context())
			}
		}
		if err := os.RemoveAll(filepath.Dir(host(t, theirs))); err != nil {
			t.Error(err)
		}
	})
	t.Run("fails the test when it does not answer", func(t *testing.T) {
		t.Parallel()
		out, err := probeCommand(t, "postgres://nobody@localhost:1/none").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("no PostgreSQL to test with")) || !bytes.Contains(out, []byte(storetest.Variable)) {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// probe returns the address that another process gets.
func probe(t *testing.T, server string) string {
	t.Helper()
	out, err := probeCommand(t, server).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var address string
	if _, err := fmt.Sscanf(string(out), "probe %s", &address); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return address
}

func probeCommand(t *testing.T, server string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestProbe$")
	cmd.Env = append(os.Environ(), "STORETEST_PROBE=1", "GORACE=atexit_sleep_ms=0", storetest.Variable+"="+server)
	return cmd
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host + u.Query().Get("host")
}

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func execute(t *testing.T, address, sql string) {
	t.Helper()
	conn := connect(t, address)
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, address, sql string) (value string) {
	t.Helper()
	conn := connect(t, address)
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// BenchmarkURL makes a database for a test. It does not drop it.
func BenchmarkURL(b *testing.B) {
	storetest.URL(b)
	for b.Loop() {
		storetest.URL(b)
	}
}

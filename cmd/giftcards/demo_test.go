package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
)

// TestASecondStateDirectoryLeavesTheDemoAsItIs, because a new password would end the tokens of
// everybody who uses the demo. Only a chosen password is set.
func TestASecondStateDirectoryLeavesTheDemoAsItIs(t *testing.T) {
	url := storetest.URL(t)
	database := "--database-url=" + url
	first, second := "--state-dir="+t.TempDir(), "--state-dir="+t.TempDir()
	db, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer db.Close(t.Context())
	user := func() (row string) {
		t.Helper()
		err := db.QueryRow(t.Context(), "select password_hash || coalesce(' ' || tokens_valid_after::text, '') from users where email = $1", demoUser).Scan(&row)
		must(t, err)
		return row
	}
	show := func(dir string) (printed string) {
		t.Helper()
		code, stdout, stderr := command(t, "", "demo", database, dir)
		if code != 0 {
			t.Fatal(stderr)
		}
		return stdout
	}
	t.Setenv(demoVariable, "a chosen password")
	made := show(first)
	before := user()

	t.Setenv(demoVariable, "")
	if code, stdout, stderr := command(t, "", "demo", database, second); code != 1 || stdout != "" ||
		!strings.Contains(stderr, "the demo exists, and its password may be in demo.json of another state directory") {
		t.Errorf("from a second directory: %d %s %s", code, stdout, stderr)
	}
	if after := user(); after != before {
		t.Errorf("a second directory changes the user from %s to %s", before, after)
	}
	if again := show(first); again != made {
		t.Errorf("the demo was %s and is %s", made, again)
	}
	// With the right password, the second directory gets its own demo.json.
	t.Setenv(demoVariable, "a chosen password")
	if joined := show(second); joined != made || user() != before {
		t.Errorf("with the demo's password: %s, want %s; the user was %s and is %s", joined, made, before, user())
	}
	t.Setenv(demoVariable, "")
	if kept := show(second); kept != made {
		t.Errorf("the second directory's demo was %s and is %s", made, kept)
	}
	t.Setenv(demoVariable, "another password")
	if changed := show(second); !strings.Contains(changed, "another password") || user() == before {
		t.Errorf("with another chosen password: %s", changed)
	}
}

// TestALostDemoFileOfAPrivateDatabaseIsMadeAnew, because no other state directory can have
// the password.
func TestALostDemoFileOfAPrivateDatabaseIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := processtest.UsedStateDir(t)
	file := filepath.Join(dir, "demo.json")
	before, err := readDemo(file)
	must(t, err)
	must(t, os.Remove(file))
	server := processtest.Serve(t, dir, processtest.FreeAddress(t))
	if again := login(t, dir); again.Password == before.Password || again.ProgramID != before.ProgramID || again.token == "" {
		t.Errorf("the demo was %+v and is %+v", before, again.demo)
	}
	must(t, server.Stop(syscall.SIGTERM))
}

//go:build unix

package embedded

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestDataOfNobodyGoToAUserOfTheirOwn when root starts the server. Anybody else
// keeps what is theirs.
func TestDataOfNobodyGoToAUserOfTheirOwn(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	data := filepath.Join(state, "data")
	s := start(t, state)
	execute(t, s.URL(), `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')`)
	stop(t, s)
	if os.Geteuid() != 0 {
		wantOwner(t, data, uint32(os.Geteuid()))
		return
	}
	nobody := accountNamed(t, sharedUser)
	setOwner(t, data, nobody)
	// nobody may have left a link to a file that is root's, and may have linked it.
	foreign := filepath.Join(filepath.Dir(state), "foreign")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(foreign, filepath.Join(data, "link")), os.Link(foreign, filepath.Join(data, "hard"))); err != nil {
		t.Fatal(err)
	}

	// After a crash, they stay.
	left := "4194303\n" + data + "\n" // no process has this id
	if err := errors.Join(os.WriteFile(pidFilePath(data), []byte(left), 0o600), nobody.own(pidFilePath(data))); err != nil {
		t.Fatal(err)
	}
	crashed := start(t, state)
	wantOwner(t, data, nobody.credential.Uid)
	stop(t, crashed)

	s = start(t, state)
	own := accountNamed(t, ownUser)
	for _, path := range []string{data, filepath.Join(data, "PG_VERSION"), filepath.Join(data, "base", "1"), filepath.Join(data, "global", "pg_control")} {
		wantOwner(t, path, own.credential.Uid)
	}
	wantOwner(t, foreign, 0)
	if got := query(t, s.URL(), `SELECT word FROM kept`); got != "yes" {
		t.Errorf("afterwards: %q", got)
	}
}

func TestDataBehindLinksStayWithNobody(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newStateDir(t), "data")
	for _, dir := range []string{"pg_wal", "pg_tblspc"} {
		if err := os.MkdirAll(filepath.Join(data, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want bool) {
		t.Helper()
		if inside, err := keepsInside(data); err != nil || inside != want {
			t.Errorf("inside %v, %v; want %v", inside, err, want)
		}
	}
	check(true)
	space := filepath.Join(data, "pg_tblspc", "16400")
	if err := os.Symlink("/elsewhere", space); err != nil {
		t.Fatal(err)
	}
	check(false)
	wal := filepath.Join(data, "pg_wal")
	if err := errors.Join(os.Remove(space), os.Remove(wal), os.Symlink("/elsewhere", wal)); err != nil {
		t.Fatal(err)
	}
	check(false)
}

func accountNamed(t *testing.T, name string) account {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("as root, this test needs user %s: %v", name, err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		t.Fatal(err)
	}
	return account{name, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func setOwner(t *testing.T, dir string, as account) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, as.own(path)) })
	if err != nil {
		t.Fatal(err)
	}
}

func wantOwner(t *testing.T, path string, want uint32) {
	t.Helper()
	if got, _, err := ownerOf(path); err != nil || got != want {
		t.Errorf("%s belongs to %d, %v; want %d", path, got, err, want)
	}
}

// TestOnlyRootsServersMakeAUser and those of tests never do.
func TestOnlyRootsServersMakeAUser(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &Server{ephemeral: true, logger: slog.New(slog.NewTextHandler(&log, nil))}
	_, lookupErr := user.Lookup(ownUser)
	as, err := s.ownAccount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[bool]string{true: ownUser, false: sharedUser}[lookupErr == nil]; as.name != want || log.Len() > 0 {
		t.Errorf("user %s, want %s; log %s", as.name, want, &log)
	}
}

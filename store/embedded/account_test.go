//go:build unix

package embedded

import (
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/store/private"
)

func TestPostgreSQLNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	s := &Server{ephemeral: true, logger: slog.New(slog.DiscardHandler)}
	runAs, err := s.chooseAccount(t.Context(), filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if root := os.Geteuid() == 0; root != (runAs.credential != nil) {
		t.Errorf("as root %v we would use %+v", root, runAs)
	}
	if runAs.credential != nil && runAs.credential.Uid == 0 {
		t.Error("it would run as root")
	}
	if runAs.name == "" || runAs.name == "root" || runAs.name == "postgres" && runAs.credential != nil {
		t.Errorf("it would run as %q", runAs.name)
	}
}

func TestDataOfAnotherUserAreRefused(t *testing.T) {
	t.Parallel()
	_, err := (&Server{}).chooseAccount(t.Context(), "/") // root's
	wantError(t, err, "/ belongs to ")
	wantError(t, err, "set DATABASE_URL")
}

func TestDirectoryThatIsNoClusterIsLeftAlone(t *testing.T) {
	t.Parallel()
	state := newStateDir(t)
	data := filepath.Join(state, "data")
	if _, err := private.Dir(state); err != nil {
		t.Fatal(err)
	}
	s := &Server{ephemeral: true, logger: slog.New(slog.DiscardHandler)}
	runAs, err := s.chooseAccount(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runAs.chown(data); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{StateDir: state})
	wantError(t, err, data+" is not a PostgreSQL data directory: move it away")
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestSocketPathsStayShortEnough(t *testing.T) {
	t.Parallel()
	long := filepath.Join(newStateDir(t), strings.Repeat("long", 20))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := makeSocketDir(long, account{})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if strings.HasPrefix(dir, long) || len(dir)+len("/.s.PGSQL.5432") > 103 {
		t.Errorf("socket directory %s", dir)
	}
}

// TestOnlyRootsServersMakeAUser, and servers of tests never do.
func TestOnlyRootsServersMakeAUser(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &Server{ephemeral: true, logger: slog.New(slog.NewTextHandler(&log, nil))}
	_, lookupErr := user.Lookup(ownUser)
	runAs, err := s.ownAccount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := map[bool]string{true: ownUser, false: sharedUser}[lookupErr == nil]; runAs.name != want || log.Len() > 0 {
		t.Errorf("user %s, want %s; log %s", runAs.name, want, &log)
	}
}

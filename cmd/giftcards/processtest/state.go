package processtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// StateDir returns an empty directory that another user may enter, because PostgreSQL does
// not run as root. It is removed when the test ends.
func StateDir(t testing.TB) string {
	t.Helper()
	// t.TempDir is below a directory of root alone.
	dir, err := os.MkdirTemp("", "giftcards-state-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The database of a server that was killed ends a moment later, and writes until then.
		for deadline := time.Now().Add(5 * time.Second); os.RemoveAll(dir) != nil && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// UsedStateDir returns a StateDir with the private database, keys and demo of a server that
// was stopped. A server starts on it in a quarter of the time, because it makes no database.
func UsedStateDir(t testing.TB) string {
	t.Helper()
	used.once.Do(func() { used.err = makeUsed(t) })
	if used.err != nil {
		t.Fatal(used.err)
	}
	dir := StateDir(t)
	// cp keeps the owner, which is the user that PostgreSQL runs as.
	if out, err := exec.Command("cp", "-Rp", used.dir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v %s", used.dir, err, out)
	}
	return dir
}

// used is the directory that UsedStateDir copies.
var used struct {
	once sync.Once
	dir  string
	err  error
}

// makeUsed starts a server once and stops it.
func makeUsed(t testing.TB) error {
	t.Helper()
	parent, err := SharedDir("giftcards-used-")
	if err != nil {
		return err
	}
	used.dir = filepath.Join(parent, "state")
	if err := os.Mkdir(used.dir, 0o755); err != nil {
		return err
	}
	return Serve(t, used.dir, FreeAddress(t)).Stop(syscall.SIGTERM)
}

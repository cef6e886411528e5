package processtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var program = flag.String("program", "", "the giftcards to test instead of one built from this source")

// Run runs the tests of a package, removes what Program, StateDir and SharedDir made, and returns the
// exit code. TestMain calls it.
func Run(m *testing.M) int {
	code := m.Run()
	made.Lock()
	defer made.Unlock()
	for _, dir := range made.dirs {
		_ = os.RemoveAll(dir)
	}
	return code
}

// made has the directories that belong to all tests of the package.
var made struct {
	sync.Mutex
	dirs []string
}

// SharedDir returns a new directory for all tests of the package, which Run removes. Other
// users may enter it, because they run what is in it, too.
func SharedDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return "", err
	}
	made.Lock()
	defer made.Unlock()
	made.dirs = append(made.dirs, dir)
	return dir, os.Chmod(dir, 0o755)
}

// Program returns the path of the giftcards program, which is built once for all tests, or
// of the one that the flag -program names.
func Program(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	if *program != "" {
		return filepath.Abs(*program)
	}
	return build("giftcards")
})

// Build builds giftcards with more flags of go build, and returns the path of the new
// program. It has the given name.
func Build(t testing.TB, name string, flags ...string) string {
	t.Helper()
	path, err := build(name, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(name string, flags ...string) (string, error) {
	dir, err := SharedDir("giftcards-binary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	// Linking takes a third less time without what only a debugger reads.
	cmd := exec.Command("go", append(append([]string{"build", "-ldflags=-w"}, flags...), "-o", path, "giftcards/cmd/giftcards")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build` has it, so that the packages in the cache serve both
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build giftcards: %w: %s", err, out)
	}
	return path, nil
}

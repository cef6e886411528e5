//go:build unix

package embedded

import (
	"os"
	"path/filepath"
	"time"
)

const ephemeralPrefix = "giftcards-test-"

// makeEphemeralDir makes the directory of an ephemeral server: in memory where
// there is room, and after removing those whose processes were killed.
func makeEphemeralDir() (string, error) {
	parents := []string{os.TempDir()}
	if memory := memoryDir(); memory != "" {
		parents = []string{memory, os.TempDir()}
	}
	for _, parent := range parents {
		sweepEphemeral(parent, time.Minute)
	}
	var dir string
	var err error
	for _, parent := range parents {
		if dir, err = os.MkdirTemp(parent, ephemeralPrefix); err == nil {
			break // memory may not be writable for us
		}
	}
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, dirMode())
}

// sweepEphemeral removes our directories in parent whose lock nobody holds. One
// changed within the given age may belong to a process that is about to lock it.
func sweepEphemeral(parent string, age time.Duration) {
	found, _ := filepath.Glob(filepath.Join(parent, ephemeralPrefix+"*"))
	for _, dir := range found {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < age {
			continue
		}
		if uid, _, err := ownerOf(dir); err != nil || uid != uint32(os.Geteuid()) {
			continue
		}
		if held, err := lockDir(dir); err == nil {
			os.RemoveAll(dir)
			held.release()
		}
	}
}

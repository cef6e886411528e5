//go:build unix

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

const (
	ephemeralPrefix = "giftcards-test-"
	sharedMemory    = "/dev/shm" // a file system in memory, on Linux
)

// makeEphemeralDir makes the directory of an ephemeral server, in memory if there is room. It
// also removes the directories of killed processes.
func makeEphemeralDir() (string, error) {
	for _, parent := range []string{sharedMemory, os.TempDir()} {
		sweepEphemeral(parent, 10*time.Second)
	}
	var dir string
	err := errors.ErrUnsupported
	if hasRoom(sharedMemory) {
		dir, err = os.MkdirTemp(sharedMemory, ephemeralPrefix)
	}
	if err != nil {
		dir, err = os.MkdirTemp("", ephemeralPrefix)
	}
	if err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		return dir, os.Chmod(dir, 0o711) // PostgreSQL's user passes through
	}
	return dir, nil
}

// sweepEphemeral removes our directories in parent whose lock nobody holds. It leaves younger
// ones than age, because their process may be about to lock them.
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
			_ = os.RemoveAll(dir)
			held.release()
		}
	}
}

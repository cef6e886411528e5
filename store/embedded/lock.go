//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"giftcards/store/private"
)

// lock is a lock on a state directory, held for as long as its file is open. The kernel
// releases it when the process ends, however it ends.
type lock struct{ file *os.File }

// lockDir takes the lock of dir. If another process holds it, it fails with ErrLocked, in a
// sentence that names that process.
func lockDir(dir string) (*lock, error) {
	f, err := private.Open(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		holder := "another process"
		if pid, err := io.ReadAll(io.LimitReader(f, 20)); err == nil && len(pid) > 0 {
			holder = "process " + strings.TrimSpace(string(pid))
		}
		return nil, fmt.Errorf("%s: %w by %s: stop that one first or choose another state directory", dir, ErrLocked, holder)
	}
	l := &lock{file: f}
	if err := l.writeHolder(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *lock) writeHolder() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release unlocks before it closes the file, because a child of another goroutine, between
// fork and exec, shares the open file and would hold the lock longer.
func (l *lock) release() {
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	_ = l.file.Close()
}

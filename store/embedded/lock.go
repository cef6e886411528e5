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

// lock is held on a state directory for as long as its file is open. The
// kernel gives it up with the process, however that ends.
type lock struct{ file *os.File }

// lockDir takes the lock of dir, or fails with ErrLocked in a sentence that names
// its holder.
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

// release unlocks before closing: a child of another goroutine, forked but not
// yet at its exec, still shares the open file and would prolong the lock.
func (l *lock) release() {
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	_ = l.file.Close()
}

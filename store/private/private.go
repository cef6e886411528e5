//go:build unix

// Package private protects the server's own files from other users: it opens and creates no
// file that another user could have placed or could change. It trusts no other user except
// root. It knows nothing about the purpose of the files.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dir creates dir unless it exists, and returns its name without links. It fails if CheckDir
// does. Only we may use a new directory. If we are root, others may pass through it but not
// list it, because PostgreSQL's user must reach the data.
func Dir(dir string) (string, error) {
	dir, err := filepath.Abs(dir) // first, because the working directory's name may have links too
	if err != nil {
		return "", err
	}
	mode := fs.FileMode(0o700)
	above := mode
	if os.Geteuid() == 0 {
		mode, above = 0o711, 0o755
	}
	if err := os.MkdirAll(filepath.Dir(dir), above); err != nil {
		return "", err
	}
	switch err := os.Mkdir(dir, mode); {
	case err == nil:
		err = os.Chmod(dir, mode) // whatever the umask
		if err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrExist):
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return dir, CheckDir(dir)
}

// CheckDir fails unless dir is a directory that belongs to us or to root and
// that neither its group nor others may write to, with a sentence that says what
// to change. It does not follow a link.
func CheckDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if err := checkOwner("directory "+dir, info); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("directory %s can be changed by others than its owner (mode %04o): run chmod go-w on it or choose another directory", dir, mode)
	}
	return nil
}

// Open is os.OpenFile for a file that nobody else can have placed. It fails if
// the file at path is a link or no regular file, if it belongs neither to us nor
// to root, or if its group or others may write to it. A new file gets mode 0600.
// The file is emptied (os.O_TRUNC) only after it has been judged.
func Open(path string, flag int) (*os.File, error) { return open(path, flag, false) }

// OpenSecret is Open for a file that its group and others may not read either.
func OpenSecret(path string, flag int) (*os.File, error) { return open(path, flag, true) }

func open(path string, flag int, secret bool) (*os.File, error) {
	// O_NONBLOCK: opening a named pipe would wait for its other end.
	file, err := os.OpenFile(path, flag&^os.O_TRUNC|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link, which is not followed: put a file in its place or remove it", path)
	}
	if err != nil {
		return nil, err
	}
	if err := judge(file, secret); err != nil {
		_ = file.Close()
		return nil, err
	}
	if flag&os.O_TRUNC != 0 {
		if err := file.Truncate(0); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	return file, nil
}

// judge checks the open file, not its name, because the name could lead elsewhere by now.
func judge(file *os.File, secret bool) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", file.Name())
	}
	if err := checkOwner(file.Name(), info); err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case secret && mode&0o077 != 0:
		return fmt.Errorf("%s is open to others than its owner (mode %04o): run chmod 600 on it", file.Name(), mode)
	case mode&0o022 != 0:
		return fmt.Errorf("%s can be changed by others than its owner (mode %04o): run chmod go-w on it", file.Name(), mode)
	}
	return nil
}

// ReadFile is os.ReadFile for a file that Open accepts.
func ReadFile(path string) ([]byte, error) {
	file, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// WriteFile is os.WriteFile for a file that Open accepts. A new file gets mode 0600.
func WriteFile(path string, data []byte) error {
	file, err := Open(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, writeErr := file.Write(data)
	return errors.Join(writeErr, file.Close())
}

// Follow returns the name, without links, of a file that may be named by a link.
// It fails if another user except root could have made the link or could replace the file:
// both must be in directories that CheckDir accepts, or the link in one whose sticky bit
// protects it. The file itself may be missing.
func Follow(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, CheckDir(dir)
	case err != nil:
		return "", err
	case info.Mode().Type() != fs.ModeSymlink:
		return path, CheckDir(dir)
	}
	if err := checkOwner("link "+path, info); err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	// A directory of secrets in Kubernetes belongs to root, has mode 1777, and holds links.
	// The sticky bit prevents others from replacing them.
	if around, err := os.Lstat(dir); err != nil {
		return "", err
	} else if around.Mode()&fs.ModeSticky == 0 {
		if err := CheckDir(dir); err != nil {
			return "", err
		}
	}
	return target, CheckDir(filepath.Dir(target))
}

func checkOwner(what string, info fs.FileInfo) error {
	owner, us := Owner(info), os.Geteuid()
	if owner == 0 || owner == us {
		return nil
	}
	if us == 0 {
		return fmt.Errorf("%s belongs to user id %d and not to root: run as that user, give it to root with chown, or choose another place", what, owner)
	}
	return fmt.Errorf("%s belongs to user id %d and neither to us (%d) nor to root: run as that user or choose another place", what, owner, us)
}

// Owner returns the id of the user that a file belongs to.
func Owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

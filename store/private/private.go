//go:build unix

// Package private protects the server's own files from other users. It does not open or make
// a file that another user could have planted or could change. It trusts only our own user
// and root. It does not know the purpose of the files.
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

// Dir makes dir unless it exists, and returns its name without links. It fails if CheckDir
// does. Only our own user can enter a new directory. If we are root, other users can pass
// through it but not list it, because PostgreSQL's user must reach the data.
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
		err = os.Chmod(dir, mode) // the umask may have changed the mode
		if err != nil {
			return "", err
		}
	// An existing directory is checked below like a new one.
	case !errors.Is(err, fs.ErrExist):
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return dir, CheckDir(dir)
}

// CheckDir fails unless dir is a directory that belongs to us or to root, and that neither
// its group nor others may write to. The error says what to change. It does not follow a link.
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

// Open is os.OpenFile for a file that no other user can have planted. It fails if the file
// at path is a link or not a regular file, if it belongs neither to us nor to root, or if its
// group or others may write to it. A new file gets mode 0600. With os.O_TRUNC, Open empties
// the file only after these checks.
func Open(path string, flag int) (*os.File, error) { return open(path, flag, false) }

// OpenSecret is Open, and also fails if the file's group or others may read it.
func OpenSecret(path string, flag int) (*os.File, error) { return open(path, flag, true) }

func open(path string, flag int, secret bool) (*os.File, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for its other end.
	file, err := os.OpenFile(path, flag&^os.O_TRUNC|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link, which is not followed: replace it by a file or remove it", path)
	}
	if err != nil {
		return nil, err
	}
	if err := judge(file, secret); err != nil {
		_ = file.Close()
		return nil, err
	}
	// Only now is it certain that the file is ours.
	if flag&os.O_TRUNC != 0 {
		if err := file.Truncate(0); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	return file, nil
}

// judge checks the open file and not its name, because the name may lead elsewhere by now.
func judge(file *os.File, secret bool) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", file.Name())
	}
	// The owner comes before the mode, because an owner can change the mode at any time.
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

// SyncDir makes the names of the files in dir durable, as after a rename.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Follow returns the name without links of a file that a link may name. The file may be
// missing. Follow fails if a user other than root and our own could have made the link or
// could replace the file. Therefore CheckDir must accept the directories of both. The link's
// directory may also be one whose sticky bit protects the link.
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
	// A missing file or a regular one needs no more than a safe directory.
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
	// In Kubernetes, a directory of secrets contains links, belongs to root and has mode
	// 1777. Its sticky bit keeps other users from replacing the links.
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
	owner, us := int(info.Sys().(*syscall.Stat_t).Uid), os.Geteuid()
	if owner == 0 || owner == us {
		return nil
	}
	if us == 0 {
		return fmt.Errorf("%s belongs to user id %d and not to root: run as that user, give it to root with chown, or choose another place", what, owner)
	}
	return fmt.Errorf("%s belongs to user id %d and neither to this user (%d) nor to root: run as that user or choose another place", what, owner, us)
}

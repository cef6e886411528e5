//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"giftcards/store/private"
)

// makeSocketDir makes a directory that only the account and root can enter. It is new at each
// start, because an old postmaster whose data were removed takes minutes to notice, and then
// removes its socket by name. If the path would be too long for a socket, the directory lies
// among temporary files.
func makeSocketDir(stateDir string, as account) (string, error) {
	const longest = 103 // bytes in a socket's path on macOS, 107 on Linux
	for _, pattern := range []string{filepath.Join(stateDir, "sock-"), filepath.Join(os.TempDir(), "giftcards-sock-")} {
		parent, prefix := filepath.Split(pattern)
		if len(pattern)+len("4294967295/.s.PGSQL.")+len(postgresPort) > longest {
			continue
		}
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return "", err
		}
		return dir, as.own(dir)
	}
	return "", fmt.Errorf("the paths of %s and %s are too long for a socket: choose a shorter state directory or set DATABASE_URL", stateDir, os.TempDir())
}

// canonical returns the name of an existing directory without links, because a postmaster is
// recognised by the path that it was given.
func canonical(dir string) (string, error) {
	dir, err := filepath.Abs(dir) // first, because the name of the working directory may have links too
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// makeOpenDir makes a directory for programs unless it exists. It ignores the umask, because
// PostgreSQL's user must read the directory when we are root.
func makeOpenDir(dir string) error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return private.CheckDir(dir)
		}
		return err
	}
	return os.Chmod(dir, mode)
}

// DefaultStateDir returns /var/lib/giftcards for root, because no other user can enter root's
// home, and giftcards in the user's directory for state otherwise. It fails if the
// environment names no home.
func DefaultStateDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/giftcards", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "giftcards"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for a private PostgreSQL (%w): set a state directory or DATABASE_URL", err)
	}
	return filepath.Join(home, ".local", "state", "giftcards"), nil
}

// defaultCacheDir returns "" if the environment names no home. It does not use the directory
// for temporary files, because anybody could have put programs there.
func defaultCacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/giftcards"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "giftcards")
}

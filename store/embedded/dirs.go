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

// makeSocketDir makes a directory that only the account and root can enter. Each start makes
// a new one, because a postmaster whose data were removed notices it only after minutes and
// then removes its socket by name. If the path would be too long for a socket, the directory
// is in the directory for temporary files.
func makeSocketDir(stateDir string, runAs account) (string, error) {
	const longest = 103 // bytes of a socket's path on macOS; Linux allows 107
	for _, pattern := range []string{filepath.Join(stateDir, "sock-"), filepath.Join(os.TempDir(), "giftcards-sock-")} {
		parent, prefix := filepath.Split(pattern)
		// MkdirTemp appends up to ten digits.
		if len(pattern)+len("4294967295/.s.PGSQL.")+len(postgresPort) > longest {
			continue
		}
		dir, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return "", err
		}
		return dir, runAs.chown(dir)
	}
	return "", fmt.Errorf("the paths of %s and %s are too long for a socket: choose a shorter state directory or set DATABASE_URL", stateDir, os.TempDir())
}

// canonical returns the name without links of a directory that exists. A running postmaster
// is recognised by this name.
func canonical(dir string) (string, error) {
	dir, err := filepath.Abs(dir) // first, because the working directory's name may have links too
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// makeOpenDir makes a directory for programs unless it exists. For root, PostgreSQL's user
// must be able to read it, whatever the umask is.
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
	// The umask may have removed bits from the mode.
	return os.Chmod(dir, mode)
}

// DefaultStateDir returns /var/lib/giftcards for root, because no other user can enter root's
// home. For others it returns giftcards in the user's directory for state. It fails if the
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

// defaultCacheDir returns "" if the environment names no home. The directory for temporary
// files is not safe, because anybody can put programs there.
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

// takeStateDir makes and locks the state directory, and opens the log.
func (s *Server) takeStateDir(o Options) error {
	dir := o.StateDir
	switch {
	case o.Ephemeral && dir != "":
		return errors.New("an ephemeral server chooses its own state directory, because it removes it")
	case o.Ephemeral:
		made, err := makeEphemeralDir()
		if err != nil {
			return err
		}
		dir = made
	case dir == "":
		return errors.New("no state directory is set")
	}
	dir, err := private.Dir(dir)
	if err != nil {
		return err
	}
	held, err := lockDir(dir)
	if err != nil {
		return err
	}
	// From here on abandon can release the lock.
	s.stateDir, s.lock = dir, held
	if s.log, err = private.Open(s.logPath(), os.O_RDWR|os.O_CREATE|os.O_APPEND); err != nil {
		return err
	}
	return s.rotateLog()
}

//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"giftcards/store/private"
)

// leaveNobody gives data that belong to the user nobody to a user of our own, and returns the
// account to run as. It changes nothing after a crash, because sessions of the former server
// may still write, and nothing if links lead out of the data. No PostgreSQL may run on the
// data.
func (s *Server) leaveNobody(ctx context.Context, data string, as account) (account, error) {
	if as.name != sharedUser || as.credential == nil || !exists(data) {
		return as, nil
	}
	own, err := s.ownAccount(ctx)
	if err != nil || own.name == sharedUser {
		return as, err
	}
	if exists(pidFilePath(data)) {
		s.logger.InfoContext(ctx, "data stay with user nobody until the next start, because PostgreSQL was not stopped in order")
		return as, nil
	}
	inside, err := keepsInside(data)
	if err != nil {
		return account{}, err
	}
	if !inside {
		s.logger.WarnContext(ctx, "data stay with user nobody, because they have links to other directories", "directory", data)
		return as, nil
	}
	if err := giveAway(data, as.credential, own.credential); err != nil {
		return account{}, fmt.Errorf("give %s to user %s: %w", data, own.name, err)
	}
	s.logger.InfoContext(ctx, "gave the data of user nobody to a user of their own", "directory", data, "user", own.name)
	return own, nil
}

// keepsInside reports whether PostgreSQL stores everything in data itself, and no write-ahead
// log or tablespace elsewhere, behind a link.
func keepsInside(data string) (bool, error) {
	if info, err := os.Lstat(filepath.Join(data, "pg_wal")); err != nil || !info.IsDir() {
		return false, err
	}
	spaces, err := os.ReadDir(filepath.Join(data, "pg_tblspc"))
	return len(spaces) == 0, err
}

// giveAway changes the owner of all files of from in dir, and of dir itself last, so that the
// next start goes on if this one is interrupted. It checks and changes only open files,
// because processes of from may rename files meanwhile.
func giveAway(dir string, from, to *syscall.Credential) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return giveAwayIn(root, ".", from, to)
}

func giveAwayIn(root *os.Root, name string, from, to *syscall.Credential) error {
	// os.Root never leads out of its directory, even if links are placed there meanwhile.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := file.ReadDir(-1)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !entry.IsDir() && !entry.Type().IsRegular() {
				continue // the owner of a link does not matter
			}
			if err := giveAwayIn(root, path.Join(name, entry.Name()), from, to); err != nil {
				return err
			}
		}
	}
	if private.Owner(info) != int(from.Uid) {
		return nil // another user's file that was linked here stays that user's
	}
	return file.Chown(int(to.Uid), int(to.Gid))
}

//go:build unix

package embedded

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// syncsAtOnce is the number of files that syncTree flushes at a time. The file system then
// writes its journal once for many of them.
const syncsAtOnce = 16

// syncTree calls flush for all files and directories below dir, and for dir. It takes a
// fraction of the time of initdb's own sync, which flushes one file after another.
func syncTree(dir string, flush func(*os.File) error) error {
	// PostgreSQL's user owns the files. An os.Root never leads out of its directory, even
	// through new links.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var group errgroup.Group
	group.SetLimit(syncsAtOnce)
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return nil // a link is a part of its directory
		}
		group.Go(func() error {
			file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return err
			}
			defer file.Close()
			return flush(file)
		})
		return nil
	})
	return errors.Join(err, group.Wait())
}

// fsync flushes a file as PostgreSQL does. On macOS the data may then still be in the disk's
// own cache. Sync would empty the cache for each of a thousand files; private.SyncDir does it once
// for all.
func fsync(file *os.File) error {
	if err := syscall.Fsync(int(file.Fd())); err != nil {
		return &fs.PathError{Op: "fsync", Path: file.Name(), Err: err}
	}
	return nil
}

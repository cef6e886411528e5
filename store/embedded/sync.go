//go:build unix

package embedded

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// syncsAtOnce is the number of files that syncTree flushes at a time. The file system then
// writes its journal once for many of them.
const syncsAtOnce = 16

// syncTree makes all files and directories below dir durable. It takes a fraction of the
// time of initdb's own sync, which flushes one file after another.
func syncTree(dir string) error {
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
		if entry.IsDir() || entry.Type().IsRegular() {
			group.Go(func() error { return syncFile(root, path) })
		}
		return nil
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

func syncFile(root *os.Root, path string) error {
	file, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

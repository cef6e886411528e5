package embedded

import "syscall"

// hasRoom reports whether more than 1 GiB is free below dir; containers often
// have 64 MB of memory there.
func hasRoom(dir string) bool {
	var fs syscall.Statfs_t
	err := syscall.Statfs(dir, &fs)
	return err == nil && fs.Bavail*uint64(fs.Bsize) > 1<<30
}

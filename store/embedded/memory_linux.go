package embedded

import "syscall"

// memoryDir is a directory in memory with more than 1 GiB free, if there is
// one; containers often give 64 MB only.
func memoryDir() string {
	const dir = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) <= 1<<30 {
		return ""
	}
	return dir
}

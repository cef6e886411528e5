//go:build unix && !linux

package embedded

// hasRoom is always false, because only Linux has a file system in memory.
func hasRoom(string) bool { return false }

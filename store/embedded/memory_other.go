//go:build unix && !linux

package embedded

// memoryDir is for Linux only.
func memoryDir() string { return "" }

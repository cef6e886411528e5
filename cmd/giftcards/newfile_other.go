//go:build !linux

package main

// writeNew writes a file that did not exist, for its owner alone.
func writeNew(path string, content []byte) error { return writeLinked(path, content) }

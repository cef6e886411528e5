package main

import (
	"os"
	"path/filepath"
)

// writeLinked is writeNew for systems on which each file has a name: a process that is killed in
// the middle leaves a file that begins with ".new-".
func writeLinked(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // after the link, path still names the file
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Link(file.Name(), path) // fails if path exists; a rename would replace it
}

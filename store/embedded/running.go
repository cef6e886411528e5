//go:build unix

package embedded

import "path/filepath"

// Exists reports whether there are data of a PostgreSQL in stateDir. If we may not look, it
// reports true.
func Exists(stateDir string) bool { return exists(filepath.Join(stateDir, "data")) }

// Running returns the address of a PostgreSQL that another process of the same user runs in
// stateDir. It returns false if none is ready there. Like Start, it removes libpq's variables
// from the environment.
func Running(stateDir string) (url string, running bool) {
	forgetVariables()
	dir, err := canonical(stateDir)
	if err != nil {
		return "", false
	}
	data := filepath.Join(dir, "data")
	found, err := readPidFile(data)
	if err != nil || !found.ready || found.pid == 0 || !alive(found.pid) {
		return "", false
	}
	if ours, err := isPostmaster(found.pid, data); err != nil || !ours {
		return "", false
	}
	return (&Server{socketDir: found.socketDir}).URL(), true
}

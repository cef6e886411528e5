//go:build unix

package embedded

import "path/filepath"

// Exists reports whether there is a PostgreSQL's data in stateDir, or, if nobody
// may look, perhaps.
func Exists(stateDir string) bool { return exists(filepath.Join(stateDir, "data")) }

// Running returns what URL returns in the process that runs a PostgreSQL in
// stateDir, for a second process of the same user. It reports false if none is
// ready there. Like Start, it takes libpq's variables out of the environment.
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

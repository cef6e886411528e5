//go:build unix

package embedded

import (
	"os"
	"path/filepath"
	"strings"
)

// Running returns what URL returns in the process that runs a PostgreSQL in
// stateDir, for a second process of the same user. It reports false if none is
// ready there.
func Running(stateDir string) (url string, running bool) {
	data := filepath.Join(stateDir, "data")
	found, err := readPidFile(data)
	if err != nil || !found.ready || !alive(found.pid) {
		return "", false
	}
	text, err := os.ReadFile(pidFilePath(data))
	if err != nil {
		return "", false
	}
	return (&Server{socketDir: strings.Split(string(text), "\n")[4]}).URL(), true
}

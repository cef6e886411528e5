//go:build unix

package embedded

import (
	"os"
	"strings"
)

// forgetVariables takes libpq's variables out of the environment of this process, for
// good. They are for another database: pgx reads all of them whatever an address says,
// and a PGSERVICE cannot be overruled by an address at all. A process that uses a
// private server connects to nothing else.
func forgetVariables() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name) // it fails for names that no environment has
		}
	}
}

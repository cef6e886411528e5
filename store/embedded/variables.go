//go:build unix

package embedded

import (
	"os"
	"strings"
)

// forgetVariables removes libpq's variables from the environment of this process for good.
// They are meant for another database, but pgx reads all of them even with a complete
// address, and an address cannot override PGSERVICE. A process that uses a private server
// connects to no other.
func forgetVariables() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name) // fails only for names that no environment has
		}
	}
}

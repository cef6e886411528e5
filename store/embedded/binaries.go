//go:build unix

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

const (
	oldestMajor = 13
	newestMajor = 18
)

// installDirs are the directories in which packages install initdb and postgres of a major.
var installDirs = []string{
	"/usr/lib/postgresql/%d/bin",          // Debian, Ubuntu
	"/usr/pgsql-%d/bin",                   // Red Hat, from postgresql.org
	"/usr/libexec/postgresql%d",           // Alpine
	"/opt/homebrew/opt/postgresql@%d/bin", // Homebrew
	"/usr/local/opt/postgresql@%d/bin",    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/%d/bin",
}

// programs is a directory with both initdb and postgres.
type programs struct {
	dir   string
	major int
}

// finder looks for programs.
type finder struct {
	binDir, cacheDir, mirrorURL string // as in Options
	installDirs                 []string
	path                        bool    // look in PATH as well
	builds                      []build // builds that may be downloaded
	platform                    string  // this machine's, as builds name it
	runAs                       account // the account that must be able to run them
	log                         *slog.Logger
}

// find returns the programs of a major, which made the data, or the newest installed ones if
// major is 0, because there are no data. It downloads programs that are not installed.
func (f finder) find(ctx context.Context, major int, data string) (programs, error) {
	if f.binDir != "" {
		p, err := f.examine(ctx, f.binDir)
		switch {
		case err != nil:
			return programs{}, err
		case major != 0 && p.major != major:
			return programs{}, fmt.Errorf("%s was made by PostgreSQL %d and %s holds PostgreSQL %d: name the programs of %d, move the data away or set DATABASE_URL", data, major, f.binDir, p.major, major)
		case p.major < oldestMajor:
			return programs{}, fmt.Errorf("%s holds PostgreSQL %d: at least %d is needed", f.binDir, p.major, oldestMajor)
		}
		return p, nil
	}
	// Installed programs come first, because the system updates them.
	if p, found := f.installed(ctx, major); found {
		return p, nil
	}
	if ctx.Err() != nil {
		return programs{}, context.Cause(ctx) // installed has found nothing because ctx has ended
	}
	wanted := major
	if wanted == 0 {
		wanted = newestMajor
	}
	// A downloaded build may still not run here, for example for lack of a library.
	dir, err := f.fetched(ctx, wanted)
	if err == nil {
		var p programs
		if p, err = f.examine(ctx, dir); err == nil {
			return p, nil
		}
	}
	if major == 0 {
		return programs{}, fmt.Errorf("no PostgreSQL %d to %d is installed, and PostgreSQL %d could not be downloaded (%w): install PostgreSQL or set DATABASE_URL", oldestMajor, newestMajor, wanted, err)
	}
	return programs{}, fmt.Errorf("%s was made by PostgreSQL %d, which is not installed and could not be downloaded (%w): install PostgreSQL %d, move the data away or set DATABASE_URL", data, major, err, major)
}

// installed returns the newest usable programs on this machine, only of the given major
// unless it is 0.
func (f finder) installed(ctx context.Context, major int) (programs, bool) {
	var best programs
	for _, dir := range f.candidates(major) {
		p, err := f.examine(ctx, dir)
		if err != nil {
			continue // missing, or the account cannot run them
		}
		// Data can only be opened by their own major.
		suits := p.major == major || major == 0 && p.major >= oldestMajor && p.major <= newestMajor
		if suits && p.major > best.major {
			best = p
		}
	}
	return best, best.major != 0
}

func (f finder) candidates(major int) []string {
	first, last := major, major
	if major == 0 {
		first, last = oldestMajor, newestMajor
	}
	var dirs []string
	for m := last; m >= first; m-- {
		for _, pattern := range f.installDirs {
			dirs = append(dirs, fmt.Sprintf(pattern, m))
		}
	}
	if !f.path {
		return dirs
	}
	// Images link single programs into PATH, but initdb needs postgres beside itself.
	// Therefore the link's target names the directory.
	if link, err := exec.LookPath("postgres"); err == nil {
		if program, err := filepath.EvalSymlinks(link); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// examine returns the programs in dir with their version. It runs postgres as the account,
// so that it fails if the account cannot run it.
func (f finder) examine(ctx context.Context, dir string) (programs, error) {
	// A relative path would name another directory, because the account's programs run in /.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return programs{}, err
	}
	// A postgres alone is not enough, because initdb needs it beside itself.
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return programs{}, fmt.Errorf("%s does not hold both initdb and postgres: %w", dir, err)
		}
	}
	out, err := f.runAs.command(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return programs{}, fmt.Errorf("user %s cannot run %s/postgres: %w", f.runAs.name, dir, err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return programs{}, fmt.Errorf("%s/postgres prints no version: %q", dir, out)
	}
	major, err := strconv.Atoi(string(match[1]))
	return programs{dir, major}, err
}

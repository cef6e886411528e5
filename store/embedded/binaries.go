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

// installDirs are the directories where packages put initdb and postgres of each major.
var installDirs = []string{
	"/usr/lib/postgresql/%d/bin",          // Debian, Ubuntu
	"/usr/pgsql-%d/bin",                   // Red Hat, from postgresql.org
	"/usr/libexec/postgresql%d",           // Alpine
	"/opt/homebrew/opt/postgresql@%d/bin", // Homebrew
	"/usr/local/opt/postgresql@%d/bin",    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/%d/bin",
}

// programs is a directory that holds both initdb and postgres.
type programs struct {
	dir   string
	major int
}

// finder looks for programs.
type finder struct {
	binDir, cacheDir, mirrorURL string // as in Options
	installDirs                 []string
	path                        bool    // whether to look in PATH as well
	builds                      []build // that may be fetched
	platform                    string  // as builds name it
	as                          account // the user that must be able to run them
	log                         *slog.Logger
}

// find returns programs of the major that made the data or, if there are no data (0), the
// newest installed ones. It fetches programs that are not installed.
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
	if p, found := f.installed(ctx, major); found {
		return p, nil
	}
	if ctx.Err() != nil {
		return programs{}, context.Cause(ctx) // because the error would say that nothing is installed
	}
	wanted := major
	if wanted == 0 {
		wanted = newestMajor
	}
	dir, err := f.fetched(ctx, wanted)
	if err == nil {
		var p programs
		if p, err = f.examine(ctx, dir); err == nil {
			return p, nil
		}
	}
	if major == 0 {
		return programs{}, fmt.Errorf("no PostgreSQL %d to %d is installed, and PostgreSQL %d could not be fetched (%w): install PostgreSQL or set DATABASE_URL", oldestMajor, newestMajor, wanted, err)
	}
	return programs{}, fmt.Errorf("%s was made by PostgreSQL %d, which is not installed and could not be fetched (%w): install PostgreSQL %d, move the data away or set DATABASE_URL", data, major, err, major)
}

// installed returns the newest usable programs on this machine; if major is not 0, only of
// that major.
func (f finder) installed(ctx context.Context, major int) (programs, bool) {
	var best programs
	for _, dir := range f.candidates(major) {
		p, err := f.examine(ctx, dir)
		if err != nil {
			continue // not there, or the account may not run them
		}
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
	// Container images link single programs into PATH, but initdb needs postgres in its own
	// directory. So follow the link.
	if link, err := exec.LookPath("postgres"); err == nil {
		if program, err := filepath.EvalSymlinks(link); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	return dirs
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// examine asks the programs in dir for their version. It runs them as the account, so that it
// fails if the account cannot.
func (f finder) examine(ctx context.Context, dir string) (programs, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return programs{}, err
	}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return programs{}, fmt.Errorf("%s does not hold both initdb and postgres: %w", dir, err)
		}
	}
	out, err := f.as.command(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
		}
		return programs{}, fmt.Errorf("user %s cannot run %s/postgres: %w", f.as.name, dir, err)
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return programs{}, fmt.Errorf("%s/postgres tells no version: %q", dir, out)
	}
	major, err := strconv.Atoi(string(match[1]))
	return programs{dir, major}, err
}

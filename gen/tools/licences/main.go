// Command licences prints a Markdown table of the modules in the program and their
// licences. With -texts it prints the texts of the licences and notices. Run it at the root
// of the program's module. A module with an unknown licence is an error.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const program = "./cmd/giftcards"

func main() {
	whole := flag.Bool("texts", false, "print the licences and notices themselves")
	flag.Parse()
	if err := run(context.Background(), *whole); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// module is a module as `go list` describes it.
type module struct {
	Path, Version, Dir string
	Main               bool
	packages           []string // directories of the packages that the program imports
}

func run(ctx context.Context, whole bool) error {
	modules, err := modulesOf(ctx)
	if err != nil {
		return err
	}
	page, err := table(modules)
	if whole && err == nil {
		page, err = texts(modules)
	}
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(page)
	return err
}

func table(modules []module) ([]byte, error) {
	var page bytes.Buffer
	page.WriteString(preface)
	for _, m := range modules {
		licence, err := licenceOf(m)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", m.Path, m.Version, licence)
	}
	return page.Bytes(), nil
}

const preface = `# Dependencies

The modules that ` + "`giftcards`" + ` is made of, for Linux, and their licences (SPDX), as ` + "`make licences`" + ` finds them in each
module's own files. Beside them: Go's standard library (BSD-3-Clause), and the script of the page at /docs, Scalar (MIT).
Their texts and notices are in the program: ` + "`giftcards licences`" + ` prints them.
The private PostgreSQL (PostgreSQL licence) is not part of the program: it is found or fetched.

| module | version | licence |
|---|---|---|
`

// modulesOf returns the modules in the program, ordered by path. The platform is fixed, so
// that every machine makes the same table.
func modulesOf(ctx context.Context) ([]module, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", program)
	list.Stderr = os.Stderr
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	// go list prints packages, and several of them share a module.
	byPath := map[string]*module{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *module
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		// The standard library has no module, and this program's own is not a dependency.
		if p.Module == nil || p.Module.Main {
			continue
		}
		if byPath[p.Module.Path] == nil {
			byPath[p.Module.Path] = p.Module
		}
		m := byPath[p.Module.Path]
		dir, err := filepath.Rel(m.Dir, p.Dir)
		if err != nil {
			return nil, err
		}
		m.packages = append(m.packages, dir)
	}
	var modules []module
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		modules = append(modules, *byPath[path])
	}
	return modules, nil
}

// licenceOf returns the SPDX names of the licences in a module's root.
func licenceOf(m module) (string, error) {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if entry.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, entry.Name()))
		if err != nil {
			return "", err
		}
		for _, match := range licensecheck.Scan(text).Match {
			// A link to a licence is not the licence.
			if !match.IsURL {
				names = append(names, match.ID)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "", fmt.Errorf("%s: no known licence in %s", m.Path, m.Dir)
	}
	return strings.Join(names, ", "), nil
}

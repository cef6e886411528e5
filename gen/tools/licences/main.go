// Command licences prints a table of the modules that the program is made of, and
// the licence of each, as Markdown. It is to be run in the program's module. A
// module whose licence is not recognised is an error.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const program = "./cmd/giftcards"

func main() {
	if err := printTable(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// module is what `go list` says of one.
type module struct {
	Path, Version, Dir string
	Main               bool
}

func printTable(ctx context.Context) error {
	modules, err := modulesOf(ctx)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	page.WriteString(preface)
	for _, m := range modules {
		licence, err := licenceOf(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", m.Path, m.Version, licence)
	}
	_, err = os.Stdout.Write(page.Bytes())
	return err
}

const preface = `# Dependencies

The modules that ` + "`giftcards`" + ` is made of, for Linux, and their licences (SPDX), as ` + "`make licences`" + ` finds them in each
module's own files. Beside them: Go's standard library (BSD-3-Clause), and the script of the page at /docs, Scalar (MIT).
The private PostgreSQL (PostgreSQL licence) is not part of the program: it is found or fetched.

| module | version | licence |
|---|---|---|
`

// modulesOf returns the modules of which the program is made, by path. The platform
// is fixed, so that the table is the same wherever it is made.
func modulesOf(ctx context.Context) ([]module, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module", program)
	list.Stderr = os.Stderr
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var modules []module
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module != nil && !p.Module.Main {
			modules = append(modules, *p.Module)
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	return slices.Compact(modules), nil
}

// licenceOf names the licences in the files at the top of a module.
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
			if !match.IsURL {
				names = append(names, match.ID)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "", fmt.Errorf("%s: no licence that is known; read %s", m.Path, m.Dir)
	}
	return strings.Join(names, ", "), nil
}

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// postgreSQL is the licence of the PostgreSQL that the program may download. It is not part
// of the program.
//
//go:embed postgresql.txt
var postgreSQL []byte

const (
	scalarLicence = "server/docspage/assets/scalar.LICENSE.txt"
	goModule      = "golang.org/x/text" // has the same licence files as Go, which a distribution's Go may lack
)

const textsPreface = `Licences and notices of what giftcards is made of. The source of each module, at
the version named, is available by its path: go mod download -json MODULE@VERSION.
`

// texts returns the licences and notices of all modules. A text that several modules share
// appears once, below the names of all of them.
func texts(modules []module) ([]byte, error) {
	var order []string // texts in the order of their first owner
	owners := map[string][]string{}
	add := func(owner, file string, text []byte) {
		// Texts that differ only in their line ends count as the same.
		key := string(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
		if owners[key] == nil {
			order = append(order, key)
		}
		owners[key] = append(owners[key], owner+", "+file)
	}
	for _, m := range modules {
		files, err := noticesOf(m)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(m.Dir, file))
			if err != nil {
				return nil, err
			}
			add(m.Path+" "+m.Version, file, text)
			if m.Path == goModule {
				add("Go's standard library", file, text)
			}
		}
	}
	// Scalar and PostgreSQL are not Go modules.
	scalar, err := os.ReadFile(scalarLicence)
	if err != nil {
		return nil, err
	}
	add("Scalar, the script of the page at /docs", "LICENSE", scalar)
	add("PostgreSQL, which is no part of the program but may be fetched by it", "COPYRIGHT", postgreSQL)
	var page bytes.Buffer
	page.WriteString(textsPreface)
	for _, text := range order {
		fmt.Fprintf(&page, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), text)
	}
	return page.Bytes(), nil
}

// noticesOf returns the names of a module's licences and notices: in its root, and in and
// above each package that the program imports.
func noticesOf(m module) ([]string, error) {
	dirs := map[string]bool{".": true}
	for _, dir := range m.packages {
		// A licence covers the directories below it.
		for ; dir != "."; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	var files []string
	for dir := range dirs {
		entries, err := os.ReadDir(filepath.Join(m.Dir, dir))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.Type().IsRegular() && isNotice(entry.Name()) {
				files = append(files, filepath.ToSlash(filepath.Join(dir, entry.Name())))
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no licence; read %s", m.Path, m.Dir)
	}
	slices.Sort(files)
	return files, nil
}

func isNotice(name string) bool {
	if strings.HasSuffix(name, ".go") {
		return false
	}
	return slices.ContainsFunc([]string{"LICEN", "COPYING", "COPYRIGHT", "NOTICE", "PATENTS"},
		func(prefix string) bool { return strings.HasPrefix(strings.ToUpper(name), prefix) })
}

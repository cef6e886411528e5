// Command prose judges the English and the size of hand-written code, for `make
// lint`. It is run at the root of the repository and reads Go files, SQL, YAML and
// Markdown. It finds three things:
//
//   - a sentence that begins with a "who", "what" or "those" clause as its subject;
//   - "since" where "because" is meant: after a comma, or at the start of a sentence;
//   - a function of more than 35 lines without a comment inside.
//
// With -figures it prints what it measured instead.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	figures := flag.Bool("figures", false, "print sizes and shares instead of findings")
	flag.Parse()
	findings, measured, err := judge(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	}
	if *figures {
		measured.print(os.Stdout)
		return
	}
	for _, f := range findings {
		fmt.Fprintln(os.Stdout, f)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// finding is one place to mend.
type finding struct {
	file string
	line int
	text string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.file, f.line, f.text) }

// generated and foreign files, and what Git does not keep.
var skipped = []string{".git", "bin", "gen/api", "gen/db", "node_modules", "testdata", "server/docspage/assets", "openapi/openapi.json"}

// judge reads every file below root that people write.
func judge(root string) ([]finding, *figures, error) {
	var findings []finding
	measured := &figures{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(skipped, func(s string) bool { return path == s || filepath.Base(path) == s }) {
			// For a file, SkipDir would leave out the rest of its directory.
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		found, err := judgeFile(path, measured)
		findings = append(findings, found...)
		return err
	})
	return findings, measured, err
}

// judgeFile judges one file by its kind; other kinds hold no prose of ours.
func judgeFile(path string, measured *figures) ([]finding, error) {
	kind := filepath.Ext(path)
	if !slices.Contains([]string{".go", ".sql", ".yaml", ".yml", ".md"}, kind) {
		return nil, nil
	}
	source, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a link to what is not built
	}
	if err != nil {
		return nil, err
	}
	switch kind {
	case ".go":
		return judgeGo(path, source, measured)
	case ".sql":
		return judgeText(path, commentLines(string(source), "--")), nil
	case ".md":
		return judgeText(path, markdownLines(string(source))), nil
	}
	return judgeText(path, commentLines(string(source), "#")), nil
}

// line is one line of prose and where it stands.
type line struct {
	number int
	text   string
}

// commentLines returns the comments that begin with mark. An empty line stands
// between those that are not adjacent.
func commentLines(source, mark string) []line {
	var lines []line
	for i, text := range strings.Split(source, "\n") {
		if comment, ok := strings.CutPrefix(strings.TrimSpace(text), mark); ok {
			lines = append(lines, line{i + 1, strings.TrimSpace(comment)})
		} else {
			lines = append(lines, line{i + 1, ""})
		}
	}
	return lines
}

// markdownLines returns the running text: no code, no headings, no tables.
func markdownLines(source string) []line {
	var lines []line
	fenced := false
	for i, text := range strings.Split(source, "\n") {
		if strings.HasPrefix(strings.TrimSpace(text), "```") {
			fenced = !fenced
			text = ""
		}
		switch {
		case fenced, strings.HasPrefix(text, "    "), strings.HasPrefix(text, "#"), strings.HasPrefix(text, "|"):
			text = ""
		}
		text = strings.TrimLeft(text, " -*>0123456789.") // of a list or a quotation
		lines = append(lines, line{i + 1, text})
	}
	return lines
}

package texts

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// entry is a text of a file, and where it begins.
type entry struct {
	text string
	file string
	line int
}

// fault returns an error that names the place in the file.
func (e entry) fault(format string, arguments ...any) error {
	return fmt.Errorf("%s:%d: %s", e.file, e.line, fmt.Sprintf(format, arguments...))
}

// file is the texts of a file by name, with the position of its end.
type file struct {
	entries map[string]entry
	end     entry
}

// extension is the end of the name of a file of texts. Other files are not read.
const extension = ".txt"

// byteOrderMark begins a file that some editors wrote.
const byteOrderMark = "\ufeff"

// readFiles reads the files of a directory, by the name of their language.
func readFiles(dir fs.FS) (map[string]file, error) {
	listed, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for _, found := range listed {
		name, isText := strings.CutSuffix(found.Name(), extension)
		if found.IsDir() || !isText {
			continue
		}
		// Only one spelling is valid, because two files could otherwise be of one language.
		if tag, err := language.Parse(name); err != nil || tag.String() != name || tag == language.Und {
			return nil, fmt.Errorf("%s: the name is not that of a language: want a name such as de.txt or fr-CH.txt", found.Name())
		}
		source, err := fs.ReadFile(dir, found.Name())
		if err != nil {
			return nil, err
		}
		if files[name], err = parseFile(found.Name(), string(source)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// entryName matches the name of a text, such as words.code.
var entryName = regexp.MustCompile(`^[a-z]+(\.[a-z]+)*$`)

// parseFile reads lines of the form "name = text". A line that begins with a blank goes on with
// the text before it. A line that begins with # is a comment.
func parseFile(name, source string) (file, error) {
	f := file{entries: map[string]entry{}, end: entry{file: name}}
	last := "" // the text that a line may go on with
	for line := range strings.SplitSeq(strings.TrimPrefix(source, byteOrderMark), "\n") {
		f.end.line++
		line = strings.TrimRight(line, " \t\r")
		switch {
		case !utf8.ValidString(line):
			return file{}, f.end.fault("this is not UTF-8")
		case strings.ContainsFunc(strings.ReplaceAll(line, "\t", " "), func(r rune) bool { return r < ' ' || r == '\u007f' }):
			return file{}, f.end.fault("a control character")
		case line == "" || line[0] == '#':
			continue
		case line[0] == ' ' || line[0] == '\t':
			e, begun := f.entries[last]
			if !begun {
				return file{}, f.end.fault("this line goes on with a text, and there is none before it")
			}
			e.text += " " + strings.TrimLeft(line, " \t")
			f.entries[last] = e
			continue
		}
		key, text, isEntry := strings.Cut(line, "=")
		key, text = strings.TrimRight(key, " \t"), strings.TrimLeft(text, " \t")
		before, twice := f.entries[key]
		switch {
		case !isEntry || !entryName.MatchString(key):
			return file{}, f.end.fault("want a line such as: for = For {recipient}")
		case text == "":
			return file{}, f.end.fault("%s has no text", key)
		case twice:
			return file{}, f.end.fault("%s has a text in line %d already", key, before.line)
		}
		last = key
		f.entries[key] = entry{text: text, file: name, line: f.end.line}
	}
	return f, nil
}

// over returns a file in which the texts of f go before those of base.
func (f file) over(base file) file {
	merged := map[string]entry{}
	maps.Copy(merged, base.entries)
	maps.Copy(merged, f.entries)
	return file{entries: merged, end: f.end}
}

// inOrder returns the names of the texts in the order of their lines, so that the first fault
// of a file is reported.
func (f file) inOrder() []string {
	return slices.SortedFunc(maps.Keys(f.entries), func(a, b string) int { return f.entries[a].line - f.entries[b].line })
}

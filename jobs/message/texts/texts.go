// Package texts owns the words that people read in messages, on the page of a download and in
// its spreadsheet: one file of texts for each language, and the forms of money, dates and
// numbers. An operator may replace the files and add others. The package does not know what a
// message is.
package texts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed languages
var embedded embed.FS

// English is the language of texts without a locale, or with one that has no texts. Its file
// says which texts there are.
const English = "en"

// Languages are the texts of all languages. They are safe for concurrent use.
type Languages struct{ byName map[string]*tongue }

// tongue is a language or a regional form of one.
type tongue struct {
	tag     language.Tag
	phrases map[string]phrase // with those of the language that it is a form of
	known   map[string]bool   // the names of phrases, and what they begin with
	months  []string
	mirror  bool // lines begin at the right
}

// The texts that are not phrases.
const (
	monthsName = "months"
	beginsName = "begins"
	firstName  = "date.first" // the date of a month's first day, where it differs
)

// Load reads the built-in files of texts, and then those of dir unless dir is "". A file of dir
// goes before the built-in one of the same language. The file of a regional form, such as
// fr-CH.txt, needs only the texts that differ from fr.txt. Load fails if a file has a line that
// cannot be read, a text that is not known, or places that differ from the English ones, or if
// it lacks a text. The error names file and line.
func Load(dir string) (*Languages, error) {
	if dir == "" {
		return builtIn()
	}
	return load(dir)
}

// builtIn reads the built-in files once for all callers.
var builtIn = sync.OnceValues(func() (*Languages, error) { return load("") })

func load(dir string) (*Languages, error) {
	own, err := fs.Sub(embedded, "languages")
	if err != nil {
		return nil, err
	}
	files, err := readFiles(own)
	if err != nil {
		return nil, err
	}
	english := files[English] // an operator's file cannot add texts to it
	if dir != "" {
		added, err := readFiles(os.DirFS(dir))
		if errors.Is(err, fs.ErrNotExist) { // os.DirFS leaves out the directory's name
			return nil, fmt.Errorf("there is no directory %s", dir)
		}
		if err != nil {
			return nil, err
		}
		for name, f := range added {
			files[name] = f.over(files[name])
		}
	}
	languages := &Languages{byName: map[string]*tongue{}}
	// In order, so that of several faults always the same one is reported.
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if languages.byName[name], err = newTongue(files, name, english); err != nil {
			return nil, err
		}
	}
	return languages, nil
}

// parents yields a language tag and those that it is a form of: fr-CH, then fr.
func parents(tag language.Tag) iter.Seq[string] {
	return func(yield func(string) bool) {
		for ; tag != language.Und; tag = tag.Parent() {
			if !yield(tag.String()) {
				return
			}
		}
	}
}

// newTongue puts the texts of a language together, and compares them with the built-in English
// ones.
func newTongue(files map[string]file, name string, english file) (*tongue, error) {
	t := &tongue{tag: language.Make(name), phrases: map[string]phrase{}, known: map[string]bool{}}
	all := files[name]
	// The nearest form goes before the others.
	for parent := range parents(t.tag.Parent()) {
		if f, ok := files[parent]; ok {
			all = all.over(f)
		}
	}
	for _, key := range all.inOrder() {
		e := all.entries[key]
		switch key {
		case monthsName:
			for month := range strings.SplitSeq(e.text, ",") {
				t.months = append(t.months, strings.TrimSpace(month))
			}
			if len(t.months) != 12 || slices.Contains(t.months, "") {
				return nil, e.fault("months: want 12 names with commas between them, not %d", len(t.months))
			}
			continue
		case beginsName:
			if t.mirror = e.text == "right"; !t.mirror && e.text != "left" {
				return nil, e.fault("begins: want left or right")
			}
			continue
		}
		p, err := parsePhrase(e.text)
		if err == nil {
			err = checkAgainst(english, key, p)
		}
		if err != nil {
			return nil, e.fault("%s: %s", key, err)
		}
		t.phrases[key] = p
		for begins := key; begins != ""; begins = begins[:max(0, strings.LastIndexByte(begins, '.'))] {
			t.known[begins] = true
		}
	}
	for _, key := range english.inOrder() {
		if _, ok := all.entries[key]; !ok && !optional(key) {
			return nil, all.end.fault("the text %s is missing", key)
		}
	}
	return t, nil
}

// checkAgainst compares a text with the English one of the same name.
func checkAgainst(english file, key string, p phrase) error {
	base, form := key, ""
	if at := strings.LastIndexByte(key, '.'); at > 0 && slices.Contains(forms, key[at+1:]) {
		base, form = key[:at]+"."+otherForm, key[at+1:]
	}
	if key == firstName {
		base = "date"
	}
	e, known := english.entries[base]
	if !known {
		return errors.New("there is no such text")
	}
	if key == firstName {
		return nil // it may say the day in words
	}
	want, err := parsePhrase(e.text)
	if err != nil {
		return err
	}
	return p.checkPlaces(want, form != "" && form != otherForm)
}

// optional reports whether a language may lack a text that English has: a plural form, or the
// date of a month's first day.
func optional(key string) bool {
	form := key[strings.LastIndexByte(key, '.')+1:]
	return key == firstName || form != otherForm && slices.Contains(forms, form)
}

// Names returns the tags of all languages in order.
func (l *Languages) Names() []string { return slices.Sorted(maps.Keys(l.byName)) }

// find returns the texts for a locale: its own, or else those of its language, or else English.
func (l *Languages) find(tag language.Tag) *tongue {
	for name := range parents(tag) {
		if t, ok := l.byName[name]; ok {
			return t
		}
	}
	return l.byName[English]
}

// otherForm is the plural form that every language has.
const otherForm = "other"

// forms are the plural forms of Unicode's CLDR, as package plural counts them.
var forms = []string{plural.Other: otherForm, plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

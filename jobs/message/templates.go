package message

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"time"

	"giftcards/jobs/message/texts"
)

//go:embed templates
var embedded embed.FS

// Default is the design of cards without a design, or with an unknown one.
const Default = "default"

// Templates are the designs of messages by slug. A card's designTemplate is only a key of
// these maps, never a path of the file system. They are safe for concurrent use.
type Templates struct {
	languages *texts.Languages

	html map[string]*htmltemplate.Template
	text map[string]*texttemplate.Template // with the blocks subject, text and sms
}

// fileName matches a template's file name: the slug of the design and the kind.
var fileName = regexp.MustCompile(`^([a-z0-9-]{1,100})\.(html|txt)$`)

// Load reads the embedded templates, and then those of dir, which replace them, unless dir
// is "". Their texts are those of languages. It fails if a template of dir cannot be read or
// executed, has a name that no design can have, or contains text that no message would show.
func Load(dir string, languages *texts.Languages) (*Templates, error) {
	t := &Templates{languages: languages, html: map[string]*htmltemplate.Template{}, text: map[string]*texttemplate.Template{}}
	builtIn, err := fs.Sub(embedded, "templates")
	if err != nil {
		return nil, err
	}
	if _, err := t.add(builtIn); err != nil || dir == "" {
		return t, err
	}
	designs, err := t.add(os.DirFS(dir))
	if errors.Is(err, fs.ErrNotExist) { // os.DirFS leaves out the directory's name
		return nil, fmt.Errorf("there is no directory %s", dir)
	}
	if err != nil {
		return nil, err
	}
	// The embedded templates are the same at every start, so only the tests try them.
	return t, t.try(designs)
}

// add reads all templates of a directory, and returns their designs. A text template may lack
// blocks, and then has those of the default.
func (t *Templates) add(dir fs.FS) (designs []string, err error) {
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	read := func(name string) error {
		source, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		slug := strings.TrimSuffix(name, path.Ext(name))
		designs = append(designs, slug)
		if path.Ext(name) == ".html" {
			t.html[slug], err = htmltemplate.New(name).Parse(string(source))
			return err
		}
		if err := checkBlocks(name, string(source)); err != nil {
			return err
		}
		base := texttemplate.New("")
		// The clone has the default's blocks, and Parse replaces those that the source
		// defines.
		if inherited := t.text[Default]; inherited != nil {
			if base, err = inherited.Clone(); err != nil {
				return err
			}
		}
		t.text[slug], err = base.New(name).Parse(string(source))
		return err
	}
	// The default comes first, because the others inherit its blocks.
	var rest []string
	for _, file := range files {
		name := file.Name()
		switch {
		case file.IsDir() || path.Ext(name) != ".html" && path.Ext(name) != ".txt":
		case !fileName.MatchString(name):
			return nil, fmt.Errorf("template %q: want a name such as my-design.html or my-design.txt", name)
		case name == Default+".txt":
			if err := read(name); err != nil {
				return nil, err
			}
		default:
			rest = append(rest, name)
		}
	}
	for _, name := range rest {
		if err := read(name); err != nil {
			return nil, err
		}
	}
	return designs, nil
}

// blocks are the names that a text template may define.
var blocks = []string{"subject", "text", "sms"}

// checkBlocks refuses text outside of blocks and blocks with other names, because no
// message would show them.
func checkBlocks(name, source string) error {
	parsed, err := texttemplate.New(name).Parse(source)
	if err != nil {
		return err
	}
	for _, defined := range parsed.Templates() {
		switch {
		case defined.Name() == name && !parse.IsEmptyTree(defined.Root):
			return fmt.Errorf("template %s: text outside of {{define}} is never sent: want the blocks %s", name, strings.Join(blocks, ", "))
		case defined.Name() != name && !slices.Contains(blocks, defined.Name()):
			return fmt.Errorf("template %s: block %q is never sent: want %s", name, defined.Name(), strings.Join(blocks, ", "))
		}
	}
	return nil
}

// try executes the templates of the designs, so that an operator's mistake fails at the start
// and not while a message is sent.
func (t *Templates) try(designs []string) error {
	slices.Sort(designs)
	for _, design := range slices.Compact(designs) { // one with two files is listed twice
		try := t.tryDesign
		if design == receiptDesign {
			try = t.tryReceipts
		}
		if err := try(design); err != nil {
			return err
		}
	}
	return nil
}

// tryDesign executes the templates of a design for each kind of message, with each combination
// of the optional texts in English and with all of them in each other language.
func (t *Templates) tryDesign(design string) error {
	const all = 1<<3 - 1 // a bit per optional text
	for _, kind := range Kinds {
		for present := range all + 1 {
			if err := t.tryOne(design, kind, "", present); err != nil {
				return err
			}
		}
		for _, locale := range t.languages.Names() {
			if err := t.tryOne(design, kind, locale, all); err != nil {
				return err
			}
		}
	}
	return nil
}

// tryReceipts is tryDesign for the templates of receipts.
func (t *Templates) tryReceipts(string) error {
	for _, kind := range Receipts {
		for _, locale := range append(t.languages.Names(), "") {
			for _, optional := range []string{"", "x"} {
				_, err := t.ComposeReceipt(Receipt{
					Kind: kind, Merchant: "M", Recipient: optional, Refuse: optional, Amount: "1.00", Balance: "2.00", LastFour: "0000",
					ExpiresAt: time.Unix(0, 0), Settings: texts.Settings{Locale: locale},
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (t *Templates) tryOne(design, kind, locale string, present int) error {
	has := func(bit int, typed string) string { return strings.Repeat(typed, present>>bit&1) }
	_, err := t.Compose(Gift{
		Kind: kind, Merchant: "M", Sender: has(0, "S"), Recipient: has(1, "R"), Note: has(2, "N"), Settings: texts.Settings{Locale: locale},
		Value: "1.00", Number: "9000000000000000", Code: "000000", ExpiresAt: time.Unix(0, 0), Design: design,
	})
	return err
}

func lookup[V any](designs map[string]V, slug string) V {
	if found, ok := designs[slug]; ok && slug != receiptDesign {
		return found
	}
	return designs[Default]
}

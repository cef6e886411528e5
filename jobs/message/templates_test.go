package message_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestADesignOfAnOperatorReplacesOursBlockByBlock(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"birthday.html": `<h1>Birthday, {{.Recipient}}: {{.Code}}</h1>`,
		"birthday.txt":  `{{define "subject"}}Birthday{{end}}`,
		"default.txt":   `{{define "sms"}}Our own: {{.Code}}{{end}}`,
		"README.md":     `{{not a template`,
	})
	templates := load(t, dir)
	g := gift()
	g.Design, g.Recipient = "birthday", "<b>"
	content := compose(t, templates, g)
	if content.HTML != "<h1>Birthday, &lt;b&gt;: 046275</h1>" && !strings.Contains(content.HTML, "Birthday, b") {
		t.Errorf("HTML %s", content.HTML)
	}
	// A part that the design lacks comes from the operator's default, or else from ours.
	if content.Subject != "Birthday" || content.SMS != "Our own: 046275" || !strings.Contains(content.Text, "Security code:") {
		t.Errorf("subject %q, SMS %q, text\n%s", content.Subject, content.SMS, content.Text)
	}
	for _, design := range []string{"", "unknown", "../birthday", "birthday.html", "/etc/passwd", "BIRTHDAY", "birthday\x00"} {
		g.Design = design
		if content := compose(t, templates, g); strings.Contains(content.HTML, "Birthday") || content.Subject == "Birthday" {
			t.Errorf("design %q is found", design)
		}
	}
}

// TestBadTemplatesAreRefusedAtTheStart, with the file, and with the line if the fault has one.
func TestBadTemplatesAreRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, template, want string }{
		"syntax":                              {"x.html", "\n{{if}}", "x.html:2"},
		"unknown text":                        {"x.txt", `{{define "subject"}}{{.Say "subjekt"}}{{end}}`, "x.txt:1"},
		"unknown label":                       {"x.txt", `{{define "text"}}{{.Row "label.till" .Code}}{{end}}`, "x.txt:1"},
		"unknown field":                       {"x.txt", "\n\n" + `{{define "subject"}}{{.Currency}}{{end}}`, "x.txt:3"},
		"unknown field in the default":        {"default.txt", `{{define "sms"}}{{.Currency}}{{end}}`, "default.txt:1"},
		"unknown field in a receipt":          {"receipt.txt", `{{define "sms"}}{{.Currency}}{{end}}`, "receipt.txt:1"},
		"unsafe HTML":                         {"x.html", `<a href="{{.Sender}}`, "x.html"},
		"impossible name":                     {"My Design.html", `x`, "My Design.html"},
		"a fault where something is left out": {"x.html", `{{if .Sender}}{{.Sender}}{{else}}{{.Recipent}}{{end}}`, "x.html:1"},
		"a message that need not be there":    {"x.html", `{{index .Message 0}}`, "x.html:1"},
		"text outside of blocks":              {"x.txt", `Dear {{.Recipient}}`, "x.txt"},
		"a misspelt block":                    {"x.txt", `{{define "sns"}}{{.Code}}{{end}}`, "x.txt"},
	} {
		// The other templates are sound, and come before and after the bad one.
		dir := write(t, map[string]string{c.file: c.template, "a.html": `{{.Code}}`, "zzz.txt": `{{define "subject"}}{{.Merchant}}{{end}}`})
		if _, err := message.Load(dir, builtIn(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := message.Load(filepath.Join(t.TempDir(), "nowhere"), builtIn(t)); err == nil {
		t.Error("a directory that is not there: no error")
	}
}

// TestTheBuiltInTemplatesAreFit: a start does not try them, so this test does, as if they were
// an operator's. It tries them in the built-in languages and in one that an operator has added.
func TestTheBuiltInTemplatesAreFit(t *testing.T) {
	t.Parallel()
	added, err := texts.Load(filepath.Join("testdata", "languages"))
	if err != nil {
		t.Fatal(err)
	}
	for _, languages := range []*texts.Languages{builtIn(t), added} {
		if _, err := message.Load("templates", languages); err != nil {
			t.Error(err)
		}
	}
}

package message

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"giftcards/jobs/barcode"
	"giftcards/jobs/message/texts"
	"giftcards/store/text"
)

// form is how a part of a message writes what is filled in.
type form struct {
	shorten func(string) string // cuts names
	enclose func(string) string // isolates typed lines, if the template does not
	words   func(string) string // changes words of the language and amounts
	html    bool
}

// data is the templates' input. Text templates get typed text within isolates; HTML
// templates put it into <bdi> or dir="auto".
type data struct {
	Kind, Merchant, Sender, Recipient string
	Message                           []string // its lines
	Value, Number, Code, Expires      string
	Amount, LastFour, Refuse          string // of receipts only
	Lang, Dir                         string // of HTML; Dir is empty without a locale
	Mirrored                          bool   // lines begin at the right
	Start, End                        string // left and right, or right and left if mirrored

	style texts.Style
	form  form
	gift  *Gift
	drawn *barcode.Image // nil until a template asks for it
	wide  int            // of the longest label; 0 until a template asks for a row
}

// data returns the templates' input for a part of the message.
func (g Gift) data(style texts.Style, f form) *data {
	name := func(s string) string {
		if s = strings.TrimSpace(inert(text.Line(s))); blank(s) {
			return ""
		}
		return f.enclose(f.shorten(s))
	}
	if g.Kind == "" {
		g.Kind = card
	}
	// Only the card itself has its sender's words. Later messages may go to somebody else, and
	// an operator's own template may not know of kinds.
	if g.Kind != card {
		g.Sender, g.Note = "", ""
	}
	d := &data{
		Kind:      g.Kind,
		Merchant:  f.enclose(f.shorten(merchant(g.Merchant))),
		Sender:    name(g.Sender),
		Recipient: name(g.Recipient),
		Value:     style.Money(g.Value),
		Code:      g.Code,
		Expires:   style.ValidUntil(g.ExpiresAt, g.Now),
		Lang:      style.Lang(), Dir: style.Dir(), Mirrored: style.Mirrored(), Start: "left", End: "right",
		style: style, form: f, gift: &g,
	}
	if g.Number != "" {
		d.Number = Group(g.Number)
	}
	if d.Mirrored {
		d.Start, d.End = d.End, d.Start
	}
	if !f.html {
		d.Value, d.Expires = f.words(d.Value), f.words(d.Expires)
		// The groups of a number would change places beside right-to-left words.
		if d.Mirrored {
			d.Value, d.Number, d.Code = isolated(d.Value), leftToRight(d.Number), leftToRight(d.Code)
		}
	}
	// An empty list lets the templates leave out the note.
	if note := strings.TrimSpace(inert(text.Message(g.Note))); !blank(note) {
		for line := range strings.SplitSeq(note, "\n") {
			d.Message = append(d.Message, f.enclose(line))
		}
	}
	return d
}

// Say returns a text of the language. If there is one for the kind of the message, such as
// heading.code for heading, it is that one; if the message has a sender, heading.card.from goes
// before heading.card. It returns an empty text if the name has texts for other kinds only, and
// fails if there is no such name. In HTML the result is HTML.
func (d *data) Say(name string) (any, error) {
	if !d.style.Known(name) {
		return nil, fmt.Errorf("there is no text %q", name)
	}
	names := []string{name + "." + d.Kind, name}
	if d.Sender != "" {
		names = append([]string{name + "." + d.Kind + ".from"}, names...)
	}
	said := d.style.Fill(d.style.Variant(names...), d.form.words, d.value)
	if d.form.html {
		return template.HTML(said), nil //nolint:gosec // words and values are escaped
	}
	return said, nil
}

// value returns what is filled in at a place of a text, in HTML as HTML.
func (d *data) value(place string) string {
	var filled string
	typed := false
	switch place {
	case "merchant":
		filled, typed = d.Merchant, true
	case "sender":
		filled, typed = d.Sender, true
	case "recipient":
		filled, typed = d.Recipient, true
	case "value":
		filled, typed = d.Value, d.Mirrored // its sign may be in Latin letters
	case "number":
		filled = d.Number
	case "code":
		filled = d.Code
	case "amount":
		filled, typed = d.Amount, d.Mirrored
	case "ending":
		filled, typed = d.LastFour, d.Mirrored
	case "until":
		filled = d.Expires
	}
	if !d.form.html {
		return filled
	}
	if filled = escape(filled); typed {
		return "<bdi>" + filled + "</bdi>"
	}
	return filled
}

// escape is what package html/template does to a text in an element.
func escape(text string) string {
	return strings.ReplaceAll(template.HTMLEscapeString(text), "+", "&#43;")
}

// lineLength is the longest line of the mail without HTML, in code points.
const lineLength = 71

// Lines is Say with line breaks, for the mail without HTML. A longer word has a line for itself.
func (d *data) Lines(name string) (string, error) {
	said, err := d.Say(name)
	if err != nil {
		return "", err
	}
	// A name stays as it was typed.
	if d.Sender != "" && strings.Contains(fmt.Sprint(said), d.Sender) {
		return fmt.Sprint(said), nil
	}
	var b strings.Builder
	used := 0 // code points of the present line
	for word := range strings.SplitSeq(fmt.Sprint(said), " ") {
		length := utf8.RuneCountInString(word)
		switch {
		case used == 0:
		case used+1+length > lineLength:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += length
	}
	return b.String(), nil
}

// labels are the names of the lines that Row writes.
var labels = []string{"label.value", "label.number", "label.code", "label.until"}

// Row returns a line of the mail without HTML: the label and the value, with blanks between them
// so that all values begin below each other. Without a value it is the label alone.
func (d *data) Row(label, value string) (string, error) {
	if !d.style.Known(label) {
		return "", fmt.Errorf("there is no text %q", label)
	}
	write := func(label string) string {
		return d.style.Text("line", map[string]string{"label": d.style.Text(label, nil)})
	}
	if d.wide == 0 {
		for _, label := range labels {
			d.wide = max(d.wide, utf8.RuneCountInString(write(label)))
		}
	}
	line := write(label)
	if value == "" {
		return line, nil
	}
	// The label may be wider than those of labels, because a template may name another text.
	return line + strings.Repeat(" ", max(1, d.wide+2-utf8.RuneCountInString(line))) + value, nil
}

// Long reports whether the amount needs smaller characters.
func (d *data) Long() bool { return utf8.RuneCountInString(d.Value) > 12 }

// cheap replaces characters that the alphabet of text messages (GSM 03.38) lacks by others of it,
// because a message with one of them costs more than twice as much. French may write its August
// without the circumflex (since the reform of 1990).
var cheap = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "’", "'", "août", "aout").Replace

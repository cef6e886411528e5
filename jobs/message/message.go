// Package message composes the messages to recipients from templates that an operator can
// replace: the subject, HTML and plain text of a mail, and a text message. No text that a
// sender typed can become markup, a link or a second line of a header. The package knows
// nothing of transports.
package message

import (
	"cmp"
	"errors"
	htmltemplate "html/template"
	"strings"
	"time"

	"giftcards/jobs/barcode"
	"giftcards/store/text"
)

// Kinds are what a message may say: here is the card, it has a new security code, it is the
// reader's now, or the reader's cards were merged into it.
var Kinds = []string{card, "code", "owner", "consolidation"}

const card = "card"

// Gift is the content of a message. An empty text is unknown.
type Gift struct {
	ID                      string // of the card, to name the image
	Kind                    string // one of Kinds; empty: card
	Merchant                string // the name that the operator chose
	Sender, Recipient, Note string // as typed
	Value                   string // such as 25.00
	Number                  string // 16 digits
	Code                    string // 6 digits
	ExpiresAt               time.Time
	Now                     time.Time      // time of the message
	Zone                    *time.Location // the program's; it decides on which day the card expires
	Design                  string         // slug of a template, as typed
	// Symbology is how the number is drawn for a till; empty: barcode.QR.
	Symbology barcode.Symbology
}

// Content is a message in all its forms.
type Content struct {
	From    string // name of the sender of a mail: one line, not encoded
	Subject string // one line, not encoded
	Text    string
	HTML    string
	SMS     string
	// Barcode is the image that HTML shows under the address BarcodeID; nil if it shows none.
	Barcode   *barcode.Image
	BarcodeID string // without "cid:"
}

// data is the templates' input. Text templates get typed text within isolates; HTML
// templates put it into <bdi> or dir="auto".
type data struct {
	Kind, Merchant, Sender, Recipient string
	Message                           []string // its lines
	Value, Number, Code, Expires      string

	gift  *Gift
	drawn *barcode.Image // nil until a template asks for it
}

// Barcode is the card's number as an image for the scanner of a till. The image is a part of the
// mail, and made only if the template asks for it.
type Barcode struct {
	Source        htmltemplate.URL  // for <img src>
	Kind          barcode.Symbology // qr or code128
	Width, Height int               // of the whole image in pixels, with the white around the code
}

// Barcode returns the image of the number. It is a method, so that templates that show none
// cost none.
func (d *data) Barcode() (Barcode, error) {
	symbology := cmp.Or(d.gift.Symbology, barcode.QR)
	if d.drawn == nil {
		drawn, err := barcode.Draw(symbology, d.gift.Number)
		if err != nil {
			return Barcode{}, err
		}
		d.drawn = &drawn
	}
	return Barcode{
		Source: htmltemplate.URL("cid:" + d.gift.barcodeID()), //nolint:gosec // made of the card's id
		Kind:   symbology, Width: d.drawn.Width, Height: d.drawn.Height,
	}, nil
}

// barcodeID is another one in each card's mails, because mail programs may show an image that they
// know by its id.
func (g *Gift) barcodeID() string { return "number@" + cmp.Or(g.ID, "example") + ".giftcards" }

// Compose executes the template of the gift's design, or else the default one.
func (t *Templates) Compose(g Gift) (Content, error) {
	var html, subject, words, sms strings.Builder
	text := lookup(t.text, g.Design)
	// HTML isolates by itself; the subject and a text message must be short.
	typed, isolated, shortened := g.data(asIs, asIs), g.data(asIs, isolate), g.data(short, isolate)
	err := errors.Join(
		lookup(t.html, g.Design).Execute(&html, typed),
		text.ExecuteTemplate(&subject, "subject", shortened),
		text.ExecuteTemplate(&words, "text", isolated),
		text.ExecuteTemplate(&sms, "sms", shortened),
	)
	if err != nil {
		// A header must be one line, even if a template is not.
		return Content{}, err
	}
	content := Content{
		From:    merchant(g.Merchant),
		Subject: strings.Join(strings.Fields(subject.String()), " "),
		Text:    strings.TrimSpace(words.String()) + "\n",
		HTML:    html.String(),
		SMS:     strings.TrimSpace(sms.String()),
	}
	if typed.drawn != nil {
		content.Barcode, content.BarcodeID = typed.drawn, g.barcodeID()
	}
	return content, nil
}

func asIs(s string) string { return s }

// merchant returns a merchant's name in a form that is safe in a header. Addresses in it
// stay, because the operator chose the name.
func merchant(name string) string { return undirected(text.Line(name)) }

// data returns the templates' input. shorten cuts names, and enclose isolates typed lines.
func (g Gift) data(shorten, enclose func(string) string) *data {
	name := func(s string) string {
		if s = strings.TrimSpace(inert(text.Line(s))); blank(s) {
			return ""
		}
		return enclose(shorten(s))
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
		gift:      &g,
		Kind:      g.Kind,
		Merchant:  enclose(shorten(merchant(g.Merchant))),
		Sender:    name(g.Sender),
		Recipient: name(g.Recipient),
		Value:     g.Value,
		Number:    Group(g.Number),
		Code:      g.Code,
		Expires:   ValidUntil(g.ExpiresAt, g.Now, g.Zone),
	}
	// An empty list lets the templates leave out the note.
	if note := strings.TrimSpace(inert(text.Message(g.Note))); !blank(note) {
		for line := range strings.SplitSeq(note, "\n") {
			d.Message = append(d.Message, enclose(line))
		}
	}
	return d
}

// Group writes the 16 digits of a card number in groups of four.
func Group(number string) string {
	return strings.Join([]string{number[:4], number[4:8], number[8:12], number[12:]}, " ")
}

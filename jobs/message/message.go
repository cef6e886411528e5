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
	texttemplate "text/template"
	"time"

	"giftcards/jobs/barcode"
	"giftcards/jobs/message/texts"
	"giftcards/store/text"
)

// Kinds are what a message may say: here is the card, it has a new security code, it is the
// reader's now, or the reader's cards were merged into it.
var Kinds = []string{card, "code", "owner", "consolidation"}

const card = "card"

// Gift is the content of a message. An empty text is unknown.
type Gift struct {
	texts.Settings // the program's; the zone decides on which day the card expires

	ID                      string // of the card, to name the image
	Kind                    string // one of Kinds; empty: card
	Merchant                string // the name that the operator chose
	From                    string // the program's name for the sender of mails; empty: the merchant
	Sender, Recipient, Note string // as typed
	Value                   string // a decimal such as 25.00
	Number                  string // 16 digits
	Code                    string // 6 digits
	ExpiresAt               time.Time
	Now                     time.Time // time of the message
	Design                  string    // slug of a template, as typed
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

// Barcode is the card's number as an image for the scanner of a till. The image is a part of the
// mail.
type Barcode struct {
	Source        htmltemplate.URL  // for <img src>
	Kind          barcode.Symbology // qr or code128
	Width, Height int               // of the whole image in pixels, with the white around the code
}

// Barcode returns the image of the number. It is a method, so that only a template that shows
// the image draws it.
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

// barcodeID differs from card to card, because a mail program may show an image again that it
// knows by its id.
func (g *Gift) barcodeID() string { return "number@" + cmp.Or(g.ID, "example") + ".giftcards" }

// Compose executes the template of the gift's design, or else the default one, for all forms.
func (t *Templates) Compose(g Gift) (Content, error) {
	content, err := t.ComposeMail(g)
	if err != nil {
		return Content{}, err
	}
	sms, err := t.ComposeSMS(g)
	content.SMS = sms.SMS
	return content, err
}

// ComposeMail is Compose without SMS.
func (t *Templates) ComposeMail(g Gift) (Content, error) {
	style := t.languages.Style(g.Settings)
	content, typed, err := composeMail(lookup(t.html, g.Design), lookup(t.text, g.Design), style, func(f form) *data { return g.data(style, f) })
	if err != nil {
		return Content{}, err
	}
	content.From = sender(g.From, g.Merchant)
	if typed.drawn != nil {
		content.Barcode, content.BarcodeID = typed.drawn, g.barcodeID()
	}
	return content, nil
}

// ComposeSMS is Compose of SMS alone.
func (t *Templates) ComposeSMS(g Gift) (Content, error) {
	style := t.languages.Style(g.Settings)
	return composeSMS(lookup(t.text, g.Design), style, func(f form) *data { return g.data(style, f) })
}

// composeMail executes the templates of a mail. input makes their input; that of the HTML is returned.
func composeMail(page *htmltemplate.Template, text *texttemplate.Template, style texts.Style, input func(form) *data) (Content, *data, error) {
	var html, subject, words strings.Builder
	enclose := enclosing(style)
	// HTML isolates by itself; the subject must be short.
	typed := input(form{shorten: asIs, enclose: asIs, words: escape, html: true})
	err := errors.Join(
		page.Execute(&html, typed),
		text.ExecuteTemplate(&subject, "subject", input(form{shorten: short, enclose: enclose, words: asIs})),
		text.ExecuteTemplate(&words, "text", input(form{shorten: asIs, enclose: enclose, words: asIs})),
	)
	return Content{
		// A header is one line, even if the template's block has several.
		Subject: strings.Join(strings.Fields(subject.String()), " "),
		Text:    strings.TrimSpace(words.String()) + "\n",
		HTML:    html.String(),
	}, typed, err
}

// composeSMS executes the template of a text message, which must be short.
func composeSMS(text *texttemplate.Template, style texts.Style, input func(form) *data) (Content, error) {
	var sms strings.Builder
	err := text.ExecuteTemplate(&sms, "sms", input(form{shorten: short, enclose: enclosing(style), words: cheap}))
	return Content{SMS: strings.TrimSpace(sms.String())}, err
}

// enclosing is how plain text isolates what was typed.
func enclosing(style texts.Style) func(string) string {
	if style.Mirrored() {
		return isolated // because a Latin name would change the order of the words around it
	}
	return isolate
}

// sender is the name of the sender of a mail: the program's, or else the merchant's.
func sender(from, ofMerchant string) string {
	return merchant(cmp.Or(from, ofMerchant))
}

func asIs(s string) string { return s }

// merchant returns a merchant's name in a form that is safe in a header. Addresses in it
// stay, because the operator chose the name.
func merchant(name string) string { return undirected(text.Line(name)) }

// Group writes the 16 digits of a card number in groups of four.
func Group(number string) string {
	return strings.Join([]string{number[:4], number[4:8], number[8:12], number[12:]}, " ")
}

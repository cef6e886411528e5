// Package message makes the text of what a recipient gets: subject, HTML and
// plain text of a mail, and a text message, from templates that an operator can
// replace. It sees to it that nothing a sender typed becomes markup, a link or a
// second line of a header. It knows nothing of how messages travel.
package message

import (
	"errors"
	"strings"
	"time"

	"giftcards/store/text"
)

// Gift is what a message tells of a card. Empty is unknown.
type Gift struct {
	Merchant                string // named by the operator
	Sender, Recipient, Note string // as typed
	Value                   string // such as 25.00
	Number                  string // 16 digits
	Code                    string // 6 digits
	ExpiresAt               time.Time
	Now                     time.Time      // when the message is made
	Zone                    *time.Location // of the program; in it days begin and end
	Design                  string         // slug of a template, as typed
}

// Content is a message in all its forms.
type Content struct {
	From    string // name of the sender of a mail: one line, not encoded
	Subject string // one line, not encoded
	Text    string
	HTML    string
	SMS     string
}

// data is what templates get. In text templates, what was typed is isolated by
// characters; HTML templates put it into <bdi> or dir="auto".
type data struct {
	Merchant, Sender, Recipient  string
	Message                      []string // its lines
	Value, Number, Code, Expires string
}

// Compose makes the message of a gift with the template of its design, or the
// default one.
func (t *Templates) Compose(g Gift) (Content, error) {
	var html, subject, words, sms strings.Builder
	text := lookup(t.text, g.Design)
	typed, isolated, shortened := g.data(asIs, asIs), g.data(asIs, isolate), g.data(short, isolate)
	err := errors.Join(
		lookup(t.html, g.Design).Execute(&html, typed),
		text.ExecuteTemplate(&subject, "subject", shortened),
		text.ExecuteTemplate(&words, "text", isolated),
		text.ExecuteTemplate(&sms, "sms", shortened),
	)
	if err != nil {
		return Content{}, err
	}
	return Content{
		From:    merchant(g.Merchant),
		Subject: strings.Join(strings.Fields(subject.String()), " "),
		Text:    strings.TrimSpace(words.String()) + "\n",
		HTML:    html.String(),
		SMS:     strings.TrimSpace(sms.String()),
	}, nil
}

func asIs(s string) string { return s }

// merchant is a merchant's name as it may stand in a header. Its operator chose it, so
// that an address in it may stay.
func merchant(name string) string { return undirected(text.Line(name)) }

// data makes what templates get: names cut by shorten, lines put into isolation
// by enclose.
func (g Gift) data(shorten, enclose func(string) string) data {
	name := func(s string) string {
		if s = strings.TrimSpace(inert(text.Line(s))); blank(s) {
			return ""
		}
		return enclose(shorten(s))
	}
	d := data{
		Merchant:  enclose(shorten(merchant(g.Merchant))),
		Sender:    name(g.Sender),
		Recipient: name(g.Recipient),
		Value:     g.Value,
		Number:    Group(g.Number),
		Code:      g.Code,
		Expires:   validUntil(g.ExpiresAt, g.Now, g.Zone),
	}
	if note := strings.TrimSpace(inert(text.Message(g.Note))); !blank(note) {
		for line := range strings.SplitSeq(note, "\n") {
			d.Message = append(d.Message, enclose(line))
		}
	}
	return d
}

// Group writes the 16 digits of a card number in fours.
func Group(number string) string {
	return strings.Join([]string{number[:4], number[4:8], number[8:12], number[12:]}, " ")
}

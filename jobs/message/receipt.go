package message

import (
	"errors"
	"strings"
	"time"

	"giftcards/jobs/message/texts"
)

// Receipts are what a receipt may say: the card can be used now, something was paid with it, it
// was reloaded, or it expires soon.
var Receipts = []string{"activated", "redeemed", "reloaded", "expiring"}

// receiptDesign is the name of the templates of receipts. No card has them as its design, because
// they do not say its number and code.
const receiptDesign = "receipt"

// Receipt is the content of a message about what has become of a card. It has no security code,
// and of the number only the last digits.
type Receipt struct {
	Kind             string // one of Receipts
	Merchant         string // the name that the operator chose
	From             string // the program's name for the sender of mails; empty: the merchant
	Recipient        string // as typed
	Amount           string // what was taken or added, a decimal
	Balance          string // what is left, a decimal
	LastFour         string // digits of the number
	ExpiresAt        time.Time
	Now              time.Time      // time of the message
	Zone             *time.Location // the program's
	Locale, Currency string         // the program's, as texts.Settings has them
	Refuse           string         // the address at which the recipient refuses receipts; empty: none
}

// ComposeReceipt executes the templates of receipts.
func (t *Templates) ComposeReceipt(r Receipt) (Content, error) {
	style := t.languages.Style(texts.Settings{Locale: r.Locale, Currency: r.Currency, Zone: r.Zone})
	enclose := isolate
	if style.Mirrored() {
		enclose = isolated
	}
	g := Gift{
		Kind: r.Kind, Merchant: r.Merchant, Recipient: r.Recipient, Value: r.Balance, ExpiresAt: r.ExpiresAt, Now: r.Now, Zone: r.Zone,
	}
	data := func(f form) *data {
		d := g.data(style, f)
		d.Number, d.Code = "", ""
		d.Amount, d.LastFour, d.Refuse = style.Money(strings.TrimPrefix(r.Amount, "-")), r.LastFour, r.Refuse
		if !f.html {
			d.Amount = f.words(d.Amount)
			if d.Mirrored {
				d.Amount, d.LastFour = isolated(d.Amount), leftToRight(d.LastFour)
			}
		}
		return d
	}
	var html, subject, words, sms strings.Builder
	text := t.text[receiptDesign]
	err := errors.Join(
		t.html[receiptDesign].Execute(&html, data(form{shorten: asIs, enclose: asIs, words: escape, html: true})),
		text.ExecuteTemplate(&subject, "subject", data(form{shorten: short, enclose: enclose, words: asIs})),
		text.ExecuteTemplate(&words, "text", data(form{shorten: asIs, enclose: enclose, words: asIs})),
		text.ExecuteTemplate(&sms, "sms", data(form{shorten: short, enclose: enclose, words: cheap})),
	)
	return content(r.From, r.Merchant, subject.String(), words.String(), html.String(), sms.String()), err
}

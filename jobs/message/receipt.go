package message

import (
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
	texts.Settings // the program's

	Kind      string // one of Receipts
	Merchant  string // the name that the operator chose
	From      string // the program's name for the sender of mails; empty: the merchant
	Recipient string // as typed
	Amount    string // what was taken or added, a decimal
	Balance   string // what is left, a decimal
	LastFour  string // digits of the number
	ExpiresAt time.Time
	Now       time.Time // time of the message
	Refuse    string    // the address at which the recipient refuses receipts; empty: none
}

// ComposeReceipt executes the templates of receipts, for all forms.
func (t *Templates) ComposeReceipt(r Receipt) (Content, error) {
	content, err := t.ComposeReceiptMail(r)
	if err != nil {
		return Content{}, err
	}
	sms, err := t.ComposeReceiptSMS(r)
	content.SMS = sms.SMS
	return content, err
}

// ComposeReceiptMail is ComposeReceipt without SMS.
func (t *Templates) ComposeReceiptMail(r Receipt) (Content, error) {
	style := t.languages.Style(r.Settings)
	content, _, err := composeMail(t.html[receiptDesign], t.text[receiptDesign], style, r.input(style))
	content.From = sender(r.From, r.Merchant)
	return content, err
}

// ComposeReceiptSMS is ComposeReceipt of SMS alone.
func (t *Templates) ComposeReceiptSMS(r Receipt) (Content, error) {
	style := t.languages.Style(r.Settings)
	return composeSMS(t.text[receiptDesign], style, r.input(style))
}

// input returns what makes the templates' input: that of a card without number and code.
func (r Receipt) input(style texts.Style) func(form) *data {
	g := Gift{
		Kind: r.Kind, Merchant: r.Merchant, Recipient: r.Recipient, Value: r.Balance, ExpiresAt: r.ExpiresAt, Now: r.Now, Settings: r.Settings,
	}
	return func(f form) *data {
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
}

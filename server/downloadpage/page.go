// Package downloadpage writes the pages that a browser gets for a signed link: one offers the
// files of a download, one shows how far the cards of a task are, one says why there are no
// files, and one ends receipts. They need no script
// and load nothing.
package downloadpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"time"

	"giftcards/jobs/message/texts"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	style string

	pages = template.Must(template.New("page").Parse(pageText))
)

// contentPolicy lets the browser apply the page's own style, and nothing else.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// Offer describes the cards that a link opens, and the link.
type Offer struct {
	Program   string    // its name
	Cards     int       // at least 1
	Value     string    // of each card, a decimal
	ExpiresAt time.Time // of each card
	Now       time.Time
	Until     time.Time // when the link ends
	Workbook  bool      // whether the cards fit in a workbook
	Limit     int       // downloads a minute; 0 is no limit
	Style     texts.Style
}

// WriteOffer answers 200 with the page that offers the files, in the program's style.
func WriteOffer(w http.ResponseWriter, o Offer) error {
	return write(w, http.StatusOK, "offer", offer{Offer: o, CSS: template.CSS(style)}) //nolint:gosec // our own style
}

// offer is the template's input.
type offer struct {
	Offer
	CSS template.CSS
}

// Lang is the language of the page.
func (o offer) Lang() string { return o.Style.Lang() }

// Dir is the direction of the page, empty without a locale.
func (o offer) Dir() string { return o.Style.Dir() }

// Say returns a text of the page as HTML.
func (o offer) Say(name string) template.HTML {
	ends := template.HTML(`<time datetime="` + o.Until.UTC().Format(time.RFC3339) + `">` + template.HTMLEscapeString(o.Style.Moment(o.Until)) + `</time>`) //nolint:gosec // escaped
	return o.Style.HTML(name, map[string]template.HTML{"end": ends})
}

// Each is Say for a text about one card or several.
func (o offer) Each(name string) template.HTML { return o.Say(o.Style.Plural(name, o.Cards)) }

// Downloads says how many downloads a minute are possible.
func (o offer) Downloads() template.HTML {
	return o.Style.HTML(o.Style.Plural("page.limit", o.Limit), map[string]template.HTML{"count": template.HTML(o.Style.Number(o.Limit))}) //nolint:gosec // digits
}

// Count is the number of cards.
func (o offer) Count() string { return o.Style.Number(o.Cards) }

// Amount is the value of each card.
func (o offer) Amount() string { return o.Style.Money(o.Value) }

// ValidUntil is the last day of each card. The page and the message must not name different
// days.
func (o offer) ValidUntil() string { return o.Style.ValidUntil(o.ExpiresAt, o.Now) }

// Wait describes cards that are being issued.
type Wait struct {
	Program         string // its name
	Written, Wanted int    // cards: how many are written, and how many will be; at least 1
	Style           texts.Style
}

// WriteWait answers 200 with the page that shows how far the cards are. The browser loads it
// again every 2 seconds, until it gets the offer.
func WriteWait(w http.ResponseWriter, wait Wait) error {
	return write(w, http.StatusOK, "wait", waiting{Wait: wait, CSS: template.CSS(style)}) //nolint:gosec // our own style
}

// waiting is the template's input.
type waiting struct {
	Wait
	CSS template.CSS
}

// Lang is the language of the page.
func (p waiting) Lang() string { return p.Style.Lang() }

// Dir is the direction of the page, empty without a locale.
func (p waiting) Dir() string { return p.Style.Dir() }

// Say returns a text of the page as HTML.
func (p waiting) Say(name string) template.HTML {
	number := func(n int) template.HTML { return template.HTML(p.Style.Number(n)) } //nolint:gosec // digits
	return p.Style.HTML(name, map[string]template.HTML{
		"written": number(p.Written), "count": number(p.Wanted), "percent": number(100 * p.Written / p.Wanted),
	})
}

// Each is Say for a text about one card or several.
func (p waiting) Each(name string) template.HTML { return p.Say(p.Style.Plural(name, p.Wanted)) }

// Count is the number of cards.
func (p waiting) Count() string { return p.Style.Number(p.Wanted) }

// WriteRefusal answers with the page that shows the sentence and what the reader can do.
func WriteRefusal(w http.ResponseWriter, status int, sentence string) error {
	return write(w, status, "refusal", struct {
		CSS           template.CSS
		Sentence      string
		Ended, Failed bool
	}{template.CSS(style), sentence, status == http.StatusForbidden, status == http.StatusNotFound}) //nolint:gosec // our own style
}

// Receipts describes the page that ends the receipts of a program.
type Receipts struct {
	Merchant string // its name
	Ended    bool   // whether they have ended; else the page asks
	Style    texts.Style
}

// WriteReceipts answers 200 with the page.
func WriteReceipts(w http.ResponseWriter, r Receipts) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	return write(w, http.StatusOK, "receipts", receipts{Receipts: r, CSS: template.CSS(style)}) //nolint:gosec // our own style
}

// receipts is the template's input.
type receipts struct {
	Receipts
	CSS template.CSS
}

// Lang is the language of the page.
func (r receipts) Lang() string { return r.Style.Lang() }

// Dir is the direction of the page, empty without a locale.
func (r receipts) Dir() string { return r.Style.Dir() }

// Say returns a text of the page as HTML.
func (r receipts) Say(name string) template.HTML {
	merchant := template.HTML("<bdi>" + template.HTMLEscapeString(r.Merchant) + "</bdi>") //nolint:gosec // escaped
	return r.Style.HTML(name, map[string]template.HTML{"merchant": merchant})
}

func write(w http.ResponseWriter, status int, name string, data any) error {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	policy := contentPolicy
	if name == "receipts" { // its button sends a form
		policy = strings.Replace(policy, "form-action 'none'", "form-action 'self'", 1)
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	_, err := w.Write(page.Bytes())
	return err
}

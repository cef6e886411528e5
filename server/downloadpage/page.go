// Package downloadpage owns the pages that a browser gets for a download link: the one
// that offers the files, the one that shows how far the cards are that a task issues, and the
// one that says why there are none. They need no script
// and load nothing.
package downloadpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"time"
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
	Program    string    // its name
	Cards      int       // at least 1
	Value      string    // of each card, a decimal
	ValidUntil string    // the last day of each card, in words
	Until      time.Time // when the link ends
	Workbook   bool      // whether the cards fit in a workbook
	Limit      int       // downloads a minute; 0 is no limit
}

// WriteOffer answers 200 with the page that offers the files.
func WriteOffer(w http.ResponseWriter, o Offer) error {
	return write(w, http.StatusOK, "offer", struct {
		Offer
		Style template.CSS
		Count string
		Ends  moment
	}{o, template.CSS(style), grouped(o.Cards), momentOf(o.Until)}) //nolint:gosec // our own style
}

// Wait describes cards that are being issued.
type Wait struct {
	Program         string // its name
	Written, Wanted int    // cards: how many are written, and how many will be; at least 1
}

// WriteWait answers 200 with the page that shows how far the cards are. The browser loads it
// again every 2 seconds, until it gets the offer.
func WriteWait(w http.ResponseWriter, wait Wait) error {
	return write(w, http.StatusOK, "wait", struct {
		Wait
		Style          template.CSS
		Done, Count    string
		PercentWritten int
	}{wait, template.CSS(style), grouped(wait.Written), grouped(wait.Wanted), 100 * wait.Written / wait.Wanted}) //nolint:gosec // our own style
}

// WriteRefusal answers with the page that shows the sentence and what the reader can do.
func WriteRefusal(w http.ResponseWriter, status int, sentence string) error {
	return write(w, status, "refusal", struct {
		Style         template.CSS
		Sentence      string
		Ended, Failed bool
	}{template.CSS(style), sentence, status == http.StatusForbidden, status == http.StatusNotFound}) //nolint:gosec // our own style
}

func write(w http.ResponseWriter, status int, name string, data any) error {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.WriteHeader(status)
	_, err := w.Write(page.Bytes())
	return err
}

// moment is a time in UTC, as text for people and for programs.
type moment struct{ Words, Machine string }

func momentOf(t time.Time) moment {
	t = t.UTC()
	return moment{t.Format("2 January 2006, 15:04 UTC"), t.Format(time.RFC3339)}
}

// grouped formats a number with commas, such as 1,234,567.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
)

// browserAccepts are the Accept headers that browsers send when somebody follows a link.
var browserAccepts = map[string]string{
	"Chrome":  "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
	"Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
	"Safari":  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
}

func getAccepting(t *testing.T, s *servertest.Server, address string, accept ...string) servertest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != nil {
		r.Header["Accept"] = accept
	}
	return s.Send(r)
}

// browse follows a link as a browser does.
func browse(t *testing.T, s *servertest.Server, address string) servertest.Answer {
	t.Helper()
	return getAccepting(t, s, address, browserAccepts["Firefox"])
}

// TestProgramsGetTheCSV: every client that does not prefer a page gets the CSV. So does Java's
// default client, whose Accept header prefers a page although its author did not ask for one.
func TestProgramsGetTheCSV(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.LinkDownloads = 0 })
	m := s.Merchant()
	few := 3
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &few}).JSON201.CsvDownloadUrl
	want := getAccepting(t, s, link)
	if !strings.HasPrefix(string(want.Body), "cardNumber,securityCode,initialValue,expiresAt,id\r\n9") || strings.Count(string(want.Body), "\r\n") != few+1 {
		t.Fatalf("%d %s", want.Status, want.Body)
	}
	for _, accept := range []string{
		"", "*/*", "text/csv", "text/*", "text/csv, text/html", "text/html;q=0.5, */*", "application/json", "application/json, text/plain, */*",
		"text/html;q=0", "text/html;q=high", "text/csv;q=0.9, text/html;q=0.9", "garbage", "text/html/", ";;,,",
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html, image/gif, image/jpeg, */*; q=0.2",
	} {
		answer := getAccepting(t, s, link, accept)
		if answer.Status != http.StatusOK || !bytes.Equal(answer.Body, want.Body) || answer.Header.Get("Content-Type") != "text/csv; charset=utf-8" ||
			answer.Header.Get("Content-Disposition") != `attachment; filename="gift-cards.csv"` || answer.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %d %v %.80s", accept, answer.Status, answer.Header, answer.Body)
		}
	}
	for name, accept := range browserAccepts { // the page's own link
		if answer := getAccepting(t, s, link+"?format=csv", accept); answer.Status != http.StatusOK || !bytes.Equal(answer.Body, want.Body) {
			t.Errorf("%s: %d %.80s", name, answer.Status, answer.Body)
		}
	}
}

// TestABrowserGetsAPageThatOffersBothFiles. The page loads nothing else and contains no code. It is
// no download: it is not in the audit log, and does not count for the limit of the link.
func TestABrowserGetsAPageThatOffersBothFiles(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.LinkDownloads = 2 })
	s.Clock.Stop()
	m := s.Merchant()
	many := 1200
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25.5"), Count: &many}).JSON202.TaskId
	status := pollToEnd(t, m, task)
	link := *status.CsvDownloadUrl
	end := s.Store.Clock().Add(time.Hour).UTC().Truncate(time.Second)
	accepts := []string{"text/html", "text/html, text/csv;q=0.5", "TEXT/HTML, */*;q=0.1"}
	for _, accept := range browserAccepts {
		accepts = append(accepts, accept)
	}
	var page servertest.Answer
	for _, accept := range accepts {
		page = getAccepting(t, s, link, accept)
		if page.Status != http.StatusOK || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Vary") != "Accept" ||
			page.Header.Get("Content-Disposition") != "" || page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("Accept %q: %d %v", accept, page.Status, page.Header)
		}
	}
	if n := downloads(t, s, m); n != 0 {
		t.Errorf("%d downloads are in the audit log", n)
	}
	html := string(page.Body)
	for _, part := range []string{
		"1,200 <small>cards", "25.50", "security codes", `href="?format=csv"`, `href="?format=xlsx"`, "2 downloads a minute",
		"<dd>" + s.Store.Clock().Add(store.DefaultLifetime).AddDate(0, 0, -1).UTC().Format("2 January 2006") + "</dd>", // the last whole day
		fmt.Sprintf(`<time datetime="%s">%s UTC</time>`, end.Format(time.RFC3339), end.Format("2 January 2006, 15:04")),
	} {
		if !strings.Contains(html, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	for _, foreign := range []string{"://", "src=", "<script", "<link", "@import", "url("} {
		if strings.Contains(html, foreign) {
			t.Errorf("the page has %q", foreign)
		}
	}
	_, style, _ := strings.Cut(html, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := page.Header.Get("Content-Security-Policy")
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; "; !strings.HasPrefix(policy, want) {
		t.Errorf("the policy is %q, want %q first", policy, want)
	}
	for _, format := range []string{"csv", "xlsx"} { // the link's limit still allows both
		if answer := browse(t, s, link+"?format="+format); answer.Status != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: %d %v", format, answer.Status, answer.Header)
		}
	}
	for _, card := range *status.Cards {
		if strings.Contains(html, card.CardNumber) || strings.Contains(html, card.Id) {
			t.Errorf("the page has card %+v", card)
		}
	}
}

// TestABrowserIsToldInWordsWhyThereIsNoFile. The page has the status and the sentence that programs
// get.
func TestABrowserIsToldInWordsWhyThereIsNoFile(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.LinkDownloads = 1 })
	m, ended := s.Merchant(), s.Merchant()
	few := 3
	linkOf := func(m *servertest.Merchant) string {
		return *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "25"), Count: &few}).JSON201.CsvDownloadUrl
	}
	good, dead := linkOf(m), linkOf(ended)
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), ended.Email, false) })
	get(t, s, good) // the one download of a minute
	wantWords := func(name, link string, status int, sentence string) {
		t.Helper()
		page, plain := browse(t, s, link), get(t, s, link)
		if page.Status != status || page.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(page.Body), "<h1>"+sentence+"</h1>") ||
			!strings.Contains(page.Header.Get("Content-Security-Policy"), "style-src 'sha256-") || page.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s, a browser: %d %v %s", name, page.Status, page.Header, page.Body)
		}
		if plain.Status != status || plain.Header.Get("Content-Type") != "application/json" || strings.TrimSpace(string(plain.Body)) != `{"detail":"`+sentence+`"}` {
			t.Errorf("%s, a program: %d %v %s", name, plain.Status, plain.Header, plain.Body)
		}
		for _, answer := range []servertest.Answer{page, plain} {
			if answer.Header.Get("Vary") != "Accept" {
				t.Errorf("%s: Vary is %q", name, answer.Header.Get("Vary"))
			}
		}
	}
	const sentence = "Download link is invalid or has expired"
	wantWords("never a link", s.URL+"/v2/giftcards/downloads/%3Cb%3Enever", http.StatusForbidden, sentence)
	wantWords("a user who is out", dead, http.StatusForbidden, sentence)
	wantWords("a user who is out, the file", dead+"?format=xlsx", http.StatusForbidden, sentence)
	wantWords("too many", good+"?format=csv", http.StatusTooManyRequests, "Too many requests")
	s.Clock.Move(2 * time.Hour)
	wantWords("expired", good, http.StatusForbidden, sentence)
	if n := downloads(t, s, ended); n != 0 {
		t.Errorf("%d downloads of the user who is out", n)
	}
}

package server_test

import (
	"net/http"
	"strings"
	"testing"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
)

// receiptOf returns the signed part of a link in a receipt of the merchant's program.
func receiptOf(t *testing.T, s *servertest.Server, m *servertest.Merchant) string {
	t.Helper()
	program, err := id.Parse(m.ProgramID)
	if err != nil {
		t.Fatal(err)
	}
	link := server.ReceiptLink(s.URL, s.Keys, program, "ada@example.com")
	return link[strings.LastIndex(link, "/")+1:]
}

// TestOneClickEndsReceipts: a POST without a token, as mail programs send it, ends them. A GET only
// shows a question, so that a program that follows links ends nothing.
func TestOneClickEndsReceipts(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	setProgram(t, s, m, func(s *store.ProgramSettings) { s.Locale = new("de") })
	path := "/v2/giftcards/receipts/" + receiptOf(t, s, m)
	asked := get(t, s, s.URL+path)
	if asked.Status != http.StatusOK || asked.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(asked.Body), `<form method="post"><button>`) ||
		!strings.Contains(string(asked.Body), `<html lang="de" dir="ltr">`) || !strings.Contains(asked.Header.Get("Content-Security-Policy"), "form-action 'self'") ||
		asked.Header.Get("Referrer-Policy") != "no-referrer" || count(t, s, "receipt_refusals") != 0 {
		t.Errorf("a GET: %d %v\n%s", asked.Status, asked.Header, asked.Body)
	}
	for range 2 { // again is no fault
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader("List-Unsubscribe=One-Click"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := s.Send(r)
		if answer.Status != http.StatusOK || !strings.Contains(string(answer.Body), "Sie erhalten diese Nachrichten nicht mehr") || strings.Contains(string(answer.Body), "<form") {
			t.Errorf("a POST: %d %s", answer.Status, answer.Body)
		}
		if n := count(t, s, "receipt_refusals"); n != 1 {
			t.Errorf("%d refusals", n)
		}
	}
	for _, bad := range []string{path + "x", "/v2/giftcards/receipts/AAAA", strings.Replace(path, "receipts", "downloads", 1)} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if strings.Contains(bad, "downloads") && method == http.MethodPost {
				continue // there is no such operation
			}
			answer := from(t, s, "192.0.2.1", method, bad, "", "")
			want := "Link is invalid"
			if strings.Contains(bad, "downloads") {
				want = "Download link is invalid or has expired"
			}
			wantDetail(t, method+" "+bad, answer, http.StatusForbidden, want)
		}
	}
}

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"giftcards/server"
	"giftcards/server/servertest"
)

// post sends a request without holding the answer against the document, which
// would cost more than the server does.
func post(b *testing.B, m *servertest.Merchant, url string, body []byte, want int) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+m.Token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	answer, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != want {
		b.Errorf("%d %s (%v), want %d", response.StatusCode, answer, err, want)
	}
}

// BenchmarkCreate is one card through the whole chain, one request at a time. The
// database of tests is not durable: only ratios to other runs mean anything.
func BenchmarkCreate(b *testing.B) {
	s := servertest.New(b)
	m := s.Merchant()
	body := fmt.Appendf(nil, `{"initialValue":"25.00","merchantId":%q,"customerEmail":"ada@example.com","customerName":"Ada Lovelace","senderName":"Grace","customMessage":"Happy birthday"}`, m.ID)
	b.ReportAllocs()
	for b.Loop() {
		post(b, m, s.URL+m.Cards(), body, http.StatusCreated)
	}
}

// BenchmarkBulk50 is the largest request that is answered at once.
func BenchmarkBulk50(b *testing.B) {
	s := servertest.New(b)
	m := s.Merchant()
	b.ReportAllocs()
	for b.Loop() {
		post(b, m, s.URL+m.Cards()+"/bulk", []byte(`{"initialValue":25,"count":50}`), http.StatusCreated)
	}
	b.ReportMetric(float64(50*b.N)/b.Elapsed().Seconds(), "cards/s")
}

// BenchmarkBulkTask is 100,000 cards, from the request to the completed task.
func BenchmarkBulkTask(b *testing.B) {
	const cards = 100_000
	s := servertest.New(b, func(o *server.Options) { o.BulkMaximum = cards })
	m := s.Merchant()
	b.ReportAllocs()
	for b.Loop() {
		post(b, m, s.URL+m.Cards()+"/bulk", fmt.Appendf(nil, `{"initialValue":25,"count":%d}`, cards), http.StatusAccepted)
		for unfinished := 1; unfinished > 0; {
			row := s.Store.Pool().QueryRow(b.Context(), `select count(*) from bulk_tasks where status <> 'completed'`)
			if err := row.Scan(&unfinished); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(cards*b.N)/b.Elapsed().Seconds(), "cards/s")
}

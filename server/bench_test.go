package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/money"
)

// post gives the handler a request without a connection, and does not compare the answer with the
// document. Each of these would cost more than the server itself.
func post(b *testing.B, s *servertest.Server, m *servertest.Merchant, path string, body []byte, want int) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header.Set("Authorization", "Bearer "+m.Token)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.Handler.ServeHTTP(answer, r)
	if answer.Code != want {
		b.Fatalf("%d %s, want %d", answer.Code, answer.Body, want)
	}
}

// BenchmarkCreate creates one card at a time through the whole chain, including the database. The
// card's message is for tomorrow, so that no message is sent meanwhile. The allocations are those
// of the chain and the store, and a few of the request and its recorder. The tests' database is
// not durable, so only ratios between runs mean anything.
func BenchmarkCreate(b *testing.B) {
	s := servertest.New(b)
	m := s.Merchant()
	body := fmt.Appendf(nil, `{"initialValue":"25.00","merchantId":%q,"customerEmail":"ada@example.com","customerName":"Ada Lovelace","senderName":"Grace","customMessage":"Happy birthday","deliverAt":%q}`,
		m.ID, s.Store.Clock().Add(24*time.Hour).Format(time.RFC3339))
	b.ReportAllocs()
	for b.Loop() {
		post(b, s, m, m.Cards(), body, http.StatusCreated)
	}
}

// BenchmarkBulk50 issues 50 cards by count, the most that are issued at once by default. The
// longest amount may take at most twice the processor time of a usual one. See BenchmarkCreate.
func BenchmarkBulk50(b *testing.B) {
	for name, value := range map[string]string{"usual": "25.00", "longest": "25." + strings.Repeat("9", money.MaxDecimals)} {
		b.Run(name, func(b *testing.B) {
			s := servertest.New(b)
			m := s.Merchant()
			body := fmt.Appendf(nil, `{"initialValue":%q,"count":50}`, value)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				post(b, s, m, m.Cards()+"/bulk", body, http.StatusCreated)
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(50*b.N)/b.Elapsed().Seconds(), "cards/s")
		})
	}
}

// processorTime returns the processor time of this process, of all threads.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkBulkTask issues 100,000 cards by count, from the request to the completed task, which it
// polls every 10 ms. The allocations are those of the worker.
func BenchmarkBulkTask(b *testing.B) {
	const cards = 100_000
	s := servertest.New(b, func(o *server.Options) { o.BulkMaximum = cards })
	m := s.Merchant()
	b.ReportAllocs()
	for b.Loop() {
		post(b, s, m, m.Cards()+"/bulk", fmt.Appendf(nil, `{"initialValue":25,"count":%d}`, cards), http.StatusAccepted)
		for unfinished := 1; unfinished > 0; {
			time.Sleep(10 * time.Millisecond)
			var failed int
			row := s.Store.Pool().QueryRow(b.Context(), `select count(*) filter (where status in ('pending', 'processing')),
				count(*) filter (where status = 'failed') from bulk_tasks`)
			if err := row.Scan(&unfinished, &failed); err != nil || failed > 0 {
				b.Fatalf("%d tasks failed (%v)", failed, err)
			}
		}
	}
	b.ReportMetric(float64(cards*b.N)/b.Elapsed().Seconds(), "cards/s")
}

// BenchmarkList reads pages of 250 cards through the whole chain, including the database. cpu-ns is
// the processor time of this process for each card. See BenchmarkCreate.
func BenchmarkList(b *testing.B) {
	const cards, page = 10_000, 250
	s := servertest.New(b, func(o *server.Options) { o.BulkMaximum = cards })
	m := s.Merchant()
	post(b, s, m, m.Cards()+"/bulk", fmt.Appendf(nil, `{"initialValue":25,"count":%d}`, cards), http.StatusAccepted)
	var place string // that of the newest card but some
	for place == "" {
		time.Sleep(10 * time.Millisecond)
		must(b, s.Store.Pool().QueryRow(b.Context(), `select coalesce((select encode(id || program_id, 'hex') from gift_cards order by id desc offset $1 limit 1), '')`, cards/2).Scan(&place))
	}
	path := fmt.Sprintf("/v2/giftcards/programs/cards?programId=%s&limit=%d&after=%s", m.ProgramID, page, place)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		sendTo(b, s, m, http.MethodGet, path, nil, http.StatusOK)
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*page), "cpu-ns/card")
}

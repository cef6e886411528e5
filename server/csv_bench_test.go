package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

// BenchmarkCSV downloads the CSV of 50,000 cards. cpu-ns/card is the processor time of this process,
// without PostgreSQL, for each card.
func BenchmarkCSV(b *testing.B) {
	count := 50_000
	s := servertest.New(b, func(o *server.Options) { o.BulkThreshold, o.LinkDownloads = 1, 0 })
	m := s.Merchant()
	answer, err := m.Client.BulkIssueGiftCardsWithResponse(b.Context(), m.ProgramID, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(b, "7"), Count: &count})
	must(b, err)
	var link string
	for link == "" {
		time.Sleep(50 * time.Millisecond)
		task, err := m.Client.PollBulkIssuanceWithResponse(b.Context(), m.ProgramID, answer.JSON202.TaskId)
		must(b, err)
		if task.JSON200.CsvDownloadUrl != nil {
			link = strings.TrimPrefix(*task.JSON200.CsvDownloadUrl, s.URL)
		}
	}
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		read := &discarded{header: http.Header{}}
		s.Handler.ServeHTTP(read, httptest.NewRequestWithContext(b.Context(), http.MethodGet, link, nil))
		if read.bytes < 80*count {
			b.Fatal(fmt.Sprint(read.status, " ", read.bytes, " bytes"))
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*count), "cpu-ns/card")
}

// discarded keeps only the status and the length of an answer.
type discarded struct {
	header        http.Header
	status, bytes int
}

func (d *discarded) Header() http.Header              { return d.header }
func (d *discarded) WriteHeader(status int)           { d.status = status }
func (d *discarded) SetWriteDeadline(time.Time) error { return nil }

func (d *discarded) Write(p []byte) (int, error) {
	d.bytes += len(p)
	return len(p), nil
}

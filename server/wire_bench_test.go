package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"giftcards/server"
	"giftcards/server/servertest"
)

// BenchmarkOverConnections sends polls and creates over 64 connections that are kept alive, through
// the whole chain, including net/http and the database. cpu-ns/op is the processor time of this
// process: the server, and a client that costs little. allocs/op also includes the client's
// allocations. The tests' database is not durable, so only ratios between runs mean anything.
func BenchmarkOverConnections(b *testing.B) {
	for _, kind := range []string{"create", "poll"} {
		b.Run(kind, func(b *testing.B) {
			s := servertest.New(b, func(o *server.Options) { o.BulkThreshold = 1 })
			m := s.Merchant()
			method, path, body, want := http.MethodGet, "", "", http.StatusOK
			if kind == "poll" {
				path = runningTask(b, s, m)
			} else {
				method, path, want = http.MethodPost, m.Cards(), http.StatusCreated
				body = fmt.Sprintf(`{"initialValue":"25.00","merchantId":%q,"customerEmail":"ada@example.com","deliverAt":%q}`,
					m.ID, s.Store.Clock().Add(24*time.Hour).Format(time.RFC3339))
			}
			b.SetParallelism(32) // for each of 2 processors
			b.ReportAllocs()
			before := processorTime(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				client := fasthttp.HostClient{Addr: strings.TrimPrefix(s.URL, "http://"), MaxConns: 1}
				defer client.CloseIdleConnections()
				var request fasthttp.Request
				var answer fasthttp.Response
				request.SetRequestURI(s.URL + path)
				request.Header.SetMethod(method)
				request.Header.SetContentType("application/json")
				request.Header.Set("Authorization", "Bearer "+m.Token)
				request.SetBodyString(body)
				for pb.Next() {
					if method == http.MethodPost {
						request.Header.Set("Idempotency-Key", uuid.NewString())
					}
					if err := client.Do(&request, &answer); err != nil || answer.StatusCode() != want {
						b.Errorf("%d %s (%v), want %d", answer.StatusCode(), answer.Body(), err, want)
						return
					}
				}
			})
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

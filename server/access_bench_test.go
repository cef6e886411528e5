package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

// BenchmarkAccessCache compares requests that start from the access cache with the same requests
// that look their access up. The requests are a create and a poll of an unfinished task, through
// the whole chain, from one client and from 16 at once. Run all of them several times in a shell
// loop and compare medians, because the machine's noise changes with time.
func BenchmarkAccessCache(b *testing.B) {
	for _, clients := range []string{"one client", "16 clients"} {
		for _, cache := range []string{"cache", "no cache"} {
			for _, request := range []string{"create", "poll"} {
				b.Run(request+"/"+clients+"/"+cache, func(b *testing.B) {
					if cache == "no cache" {
						defer server.WithoutAccessCache()()
					}
					s := servertest.New(b, func(o *server.Options) { o.BulkThreshold = 1 })
					m := s.Merchant()
					send := createRequest(b, s, m)
					if request == "poll" {
						send = pollRequest(b, s, m)
					}
					if clients == "one client" {
						for b.Loop() {
							send()
						}
						return
					}
					b.SetParallelism(8) // for each of 2 processors
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							send()
						}
					})
				})
			}
		}
	}
}

// createRequest returns a function that sends a create. The card's message is for tomorrow,
// so that no message is sent during the benchmark.
func createRequest(b *testing.B, s *servertest.Server, m *servertest.Merchant) (send func()) {
	b.Helper()
	body := fmt.Appendf(nil, `{"initialValue":"25.00","merchantId":%q,"customerEmail":"ada@example.com","deliverAt":%q}`,
		m.ID, s.Store.Clock().Add(24*time.Hour).Format(time.RFC3339))
	return func() { sendTo(b, s, m, http.MethodPost, m.Cards(), body, http.StatusCreated) }
}

// pollRequest returns a function that polls an unfinished task.
func pollRequest(b *testing.B, s *servertest.Server, m *servertest.Merchant) (send func()) {
	b.Helper()
	path := runningTask(b, s, m)
	return func() { sendTo(b, s, m, http.MethodGet, path, nil, http.StatusOK) }
}

// runningTask returns the path of a task that stays unfinished.
func runningTask(b *testing.B, s *servertest.Server, m *servertest.Merchant) (path string) {
	b.Helper()
	two := 2
	answer, err := m.Client.BulkIssueGiftCardsWithResponse(b.Context(), m.ProgramID, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(b, "7"), Count: &two})
	must(b, err)
	for unfinished := true; unfinished; time.Sleep(10 * time.Millisecond) {
		task, err := m.Client.PollBulkIssuanceWithResponse(b.Context(), m.ProgramID, answer.JSON202.TaskId)
		must(b, err)
		unfinished = task.JSON200.Status != "completed"
	}
	// The job of the task has ended, so no worker takes the task up again.
	owner, err := pgx.Connect(b.Context(), s.DatabaseURL)
	must(b, err)
	defer owner.Close(b.Context())
	_, err = owner.Exec(b.Context(), `update bulk_tasks set status = 'processing', completed_at = null`)
	must(b, err)
	return m.Cards() + "/bulk/" + answer.JSON202.TaskId
}

// sendTo gives the handler a request without a connection. It is safe for concurrent use.
func sendTo(b *testing.B, s *servertest.Server, m *servertest.Merchant, method, path string, body []byte, want int) {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), method, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+m.Token)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.Handler.ServeHTTP(answer, r)
	if answer.Code != want {
		b.Errorf("%d %s, want %d", answer.Code, answer.Body, want)
	}
}

package server_test

import (
	"net/http"
	"strings"
	"testing"

	"giftcards/server"
	"giftcards/server/servertest"
)

// TestAMerchantsBacklogIsBounded: a task beyond the bound is refused until others have ended.
// A replay, cards that are issued at once, and other merchants are not refused.
func TestAMerchantsBacklogIsBounded(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t, func(o *server.Options) { o.MerchantBacklog = 150 })
	m, other := s.Merchant(), s.Merchant()
	ask := func(m *servertest.Merchant, key, body string) servertest.Answer {
		return m.Do(http.MethodPost, m.Cards()+"/bulk", withKey(key), []byte(body))
	}
	const sixty, ninety = `{"initialValue":5,"count":60}`, `{"initialValue":5,"count":90}`
	for key, body := range map[string]string{"first": sixty, "second": ninety} {
		if answer := ask(m, key, body); answer.Status != http.StatusAccepted {
			t.Fatalf("within the bound: %d %s", answer.Status, answer.Body)
		}
	}
	full := ask(m, "third", sixty)
	if full.Status != http.StatusTooManyRequests || full.Header.Get("Retry-After") != "30" ||
		strings.TrimSpace(string(full.Body)) != `{"detail":"Too many cards of the merchant are waiting to be issued"}` {
		t.Errorf("beyond the bound: %d %v %s", full.Status, full.Header, full.Body)
	}
	if replay := ask(m, "first", sixty); replay.Status != http.StatusAccepted || replay.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a replay: %d %s", replay.Status, replay.Body)
	}
	if answer := ask(m, "at once", `{"initialValue":5,"count":50}`); answer.Status != http.StatusCreated {
		t.Errorf("at once: %d %s", answer.Status, answer.Body)
	}
	if answer := ask(other, "first", sixty); answer.Status != http.StatusAccepted {
		t.Errorf("another merchant: %d %s", answer.Status, answer.Body)
	}
	_, err := s.Store.Pool().Exec(t.Context(), "update bulk_tasks set status = 'completed', completed_at = now() where card_count = 90")
	must(t, err)
	if answer := ask(m, "third", sixty); answer.Status != http.StatusAccepted {
		t.Errorf("under the key of the refused request, after a task has ended: %d %s", answer.Status, answer.Body)
	}
}

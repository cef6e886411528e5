package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"giftcards/server/servertest"
)

// TestEqualConcurrentRequestsIssueOnce: the later requests wait for the first one and get its answer.
func TestEqualConcurrentRequestsIssueOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	for name, c := range map[string]struct{ path, body string }{
		"create": {m.Cards(), fmt.Sprintf(`{"initialValue":25,"merchantId":%q,"customerEmail":"ada@example.com"}`, m.ID)},
		"bulk":   {m.Cards() + "/bulk", `{"initialValue":25,"recipients":[{},{}]}`},
		"task":   {m.Cards() + "/bulk", `{"initialValue":25,"count":51}`},
	} {
		const senders = 12
		answers := make([]servertest.Answer, senders)
		var sending sync.WaitGroup
		for i := range senders {
			sending.Go(func() { answers[i] = m.Do(http.MethodPost, c.path, withKey(name), []byte(c.body)) })
		}
		sending.Wait()
		first := 0
		for _, answer := range answers {
			if answer.Status/100 != 2 || !bytes.Equal(answer.Body, answers[0].Body) {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
			if answer.Header.Get("Idempotent-Replayed") == "" {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%s: %d of %d answers were no replay", name, first, senders)
		}
	}
	if n := count(t, s, "bulk_tasks"); n != 1 {
		t.Errorf("%d tasks", n)
	}
	if n := count(t, s, "messages"); n != 1 {
		t.Errorf("%d messages", n)
	}
	if n := count(t, s, "idempotency_keys"); n != 3 {
		t.Errorf("%d keys", n)
	}
}

// TestReplayGivesTheSameBytes, except for the CSV link, which is fresh and works.
func TestReplayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	send := func() (string, string) {
		answer := m.Do(http.MethodPost, m.Cards()+"/bulk", withKey("k"), []byte(`{"initialValue":25,"count":3}`))
		before, rest, _ := strings.Cut(string(answer.Body), `"csvDownloadUrl":"`)
		link, after, _ := strings.Cut(rest, `"`)
		return before + after, link
	}
	body, link := send()
	s.Clock.Move(2_000_000_000) // so that a fresh link differs
	again, fresh := send()
	if body != again {
		t.Errorf("replayed %s, want %s", again, body)
	}
	if link == fresh || link == "" {
		t.Errorf("replayed link %q is not a fresh one of %q", fresh, link)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fresh, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer := s.Send(r); answer.Status != http.StatusOK || strings.Count(string(answer.Body), "\r\n") != 4 {
		t.Errorf("CSV of the replay: %d %s", answer.Status, answer.Body)
	}
}

// TestARetryMayBeSpelledDifferently: in white space, in the order of names and in the spelling of
// the amount.
func TestARetryMayBeSpelledDifferently(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	first := m.Do(http.MethodPost, m.Cards(), withKey("k"), fmt.Appendf(nil, `{"initialValue":25,"merchantId":%q,"isPhysical":false}`, m.ID))
	for body, want := range map[string]int{
		fmt.Sprintf(` { "merchantId" : %q, "initialValue" : 25, "unknown": 1 } `, m.ID):          http.StatusCreated,
		fmt.Sprintf(`{"merchantId":%q,"initialValue":"25.0"}`, m.ID):                             http.StatusCreated,
		fmt.Sprintf(`{"merchantId":%q,"initialValue":25,"customerName":null}`, m.ID):             http.StatusCreated,
		fmt.Sprintf(`{"initialValue":25,"merchantId":%q,"isPhysical":true}`, m.ID):               http.StatusUnprocessableEntity,
		fmt.Sprintf(`{"initialValue":25.01,"merchantId":%q}`, m.ID):                              http.StatusUnprocessableEntity,
		fmt.Sprintf(`{"initialValue":25,"merchantId":%q,"customerEmail":"a@example.com"}`, m.ID): http.StatusUnprocessableEntity,
	} {
		answer := m.Do(http.MethodPost, m.Cards(), withKey("k"), []byte(body))
		if answer.Status != want || want == http.StatusCreated && !bytes.Equal(answer.Body, first.Body) {
			t.Errorf("%s: %d %s, want %d", body, answer.Status, answer.Body, want)
		}
	}
}

func TestTheSameKeyIsAnotherOneInAnotherProgramOrOperation(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, other := s.Merchant(), s.Merchant()
	for _, c := range []struct {
		who        *servertest.Merchant
		path, body string
	}{
		{m, m.Cards(), fmt.Sprintf(`{"initialValue":1,"merchantId":%q}`, m.ID)},
		{m, m.Cards() + "/bulk", `{"initialValue":1,"count":1}`},
		{other, other.Cards(), fmt.Sprintf(`{"initialValue":1,"merchantId":%q}`, other.ID)},
	} {
		answer := c.who.Do(http.MethodPost, c.path, withKey("same"), []byte(c.body))
		if answer.Status != http.StatusCreated || answer.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: %d replayed %q", c.path, answer.Status, answer.Header.Get("Idempotent-Replayed"))
		}
	}
}

// TestRefusalsLeaveTheKeyFree: a key keeps only a 2xx.
func TestRefusalsLeaveTheKeyFree(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	refused := m.Do(http.MethodPost, m.Cards(), withKey("k"), []byte(`{"initialValue":1,"merchantId":"000000000000000000000000"}`))
	accepted := m.Do(http.MethodPost, m.Cards(), withKey("k"), fmt.Appendf(nil, `{"initialValue":1,"merchantId":%q}`, m.ID))
	if refused.Status != http.StatusUnprocessableEntity || accepted.Status != http.StatusCreated || accepted.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%d, then %d %s", refused.Status, accepted.Status, accepted.Body)
	}
}

// TestAnAnswerThatNeverArrivedIsReplayed: a request is cut off before its answer and sent again with
// its key. No card is issued twice.
func TestAnAnswerThatNeverArrivedIsReplayed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	body := fmt.Sprintf(`{"initialValue":25,"merchantId":%q}`, m.ID)
	for i := range 20 {
		key := fmt.Sprint("cut-", i)
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
			m.Cards(), m.Token, key, len(body), body)
		abandon(t, s, head)
		if answer := m.Do(http.MethodPost, m.Cards(), withKey(key), []byte(body)); answer.Status != http.StatusCreated {
			t.Fatalf("%s: %d %s", key, answer.Status, answer.Body)
		}
	}
	if cards, keys := count(t, s, "gift_cards"), count(t, s, "idempotency_keys"); cards != 20 || keys != 20 {
		t.Errorf("%d cards for %d keys", cards, keys)
	}
}

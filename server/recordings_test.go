package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"giftcards/server/servertest"
	"giftcards/server/validate/recordings"
	"giftcards/store/storetest/full"
)

// TestAnswersAreThoseOfFastAPI sends recorded requests through the whole server, and compares the
// answers with the recorded ones. A refusal has the same words under an idempotency key. Without
// -full it sends only the first request of each group and every fifth one. The tests of package
// validate judge all of them.
func TestAnswersAreThoseOfFastAPI(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(recordings.Now)
	m := s.Merchant()
	cases, err := recordings.Load("validate/testdata/fastapi", "validate/testdata/lifecycle")
	must(t, err)
	tried, step, group := 0, full.Size(1, 5), ""
	for i, recorded := range cases {
		if i%step != 0 && recorded.Group() == group {
			continue
		}
		group = recorded.Group()
		c := recorded.WithIDs(m.ProgramID, m.ID)
		if difference := differenceOfAnswer(m, &c); difference != "" {
			t.Errorf("%s: %s %s %.300s\n%s", c.ID, c.Method, c.Target, c.Body, difference)
		}
		tried++
	}
	t.Logf("%d of %d recorded requests", tried, len(cases))
}

// differenceOfAnswer sends a recorded request and says how the answer differs.
func differenceOfAnswer(m *servertest.Merchant, c *recordings.Case) string {
	header := http.Header{}
	for name, value := range c.Headers {
		header.Set(name, value)
	}
	answer := m.Do(c.Method, c.Target, header, c.Body)
	difference := compare(c, answer)
	if difference != "" || c.Expect != recordings.Refused || c.Method != http.MethodPost || header.Get("Idempotency-Key") != "" {
		return difference
	}
	header.Set("Idempotency-Key", c.ID)
	keyed := m.Do(c.Method, c.Target, header, c.Body)
	if keyed.Status != answer.Status || !bytes.Equal(keyed.Body, answer.Body) {
		return fmt.Sprintf("with a key that has no answer: %d %s, without it %d %s", keyed.Status, keyed.Body, answer.Status, answer.Body)
	}
	return ""
}

func compare(c *recordings.Case, answer servertest.Answer) string {
	if !c.Allows(answer.Status) {
		return fmt.Sprintf("got %d %s, want %s", answer.Status, answer.Body, c.Expect)
	}
	if c.Expect != recordings.Refused {
		return ""
	}
	var body struct{ Detail json.RawMessage }
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return err.Error()
	}
	return c.Difference(body.Detail)
}

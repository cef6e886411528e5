package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"

	"giftcards/server/servertest"
	"giftcards/server/validate/recordings"
)

// TestAnswersAreThoseOfFastAPI sends every recorded request through the whole server and
// compares the answer with the recorded one. A refusal has the same words under an
// idempotency key.
func TestAnswersAreThoseOfFastAPI(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(recordings.Now)
	m := s.Merchant()
	cases, err := recordings.Load("validate/testdata/fastapi", "validate/testdata/lifecycle")
	if err != nil {
		t.Fatal(err)
	}
	var mutex sync.Mutex
	passed, total := map[string]int{}, map[string]int{}
	t.Cleanup(func() {
		for _, group := range slices.Sorted(maps.Keys(total)) {
			t.Logf("%-32s %3d of %3d", group, passed[group], total[group])
		}
	})
	for _, c := range cases {
		total[c.Group()]++
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			wanted := c.WithIDs(m.ProgramID, m.ID)
			header := http.Header{}
			for name, value := range wanted.Headers {
				header.Set(name, value)
			}
			answer := m.Do(wanted.Method, wanted.Target, header, wanted.Body)
			if difference := compare(&wanted, answer); difference != "" {
				t.Errorf("%s %s %.300s\n%s", wanted.Method, wanted.Target, wanted.Body, difference)
				return
			}
			if c.Expect == recordings.Refused && wanted.Method == http.MethodPost && header.Get("Idempotency-Key") == "" {
				header.Set("Idempotency-Key", c.ID)
				keyed := m.Do(wanted.Method, wanted.Target, header, wanted.Body)
				if keyed.Status != answer.Status || !bytes.Equal(keyed.Body, answer.Body) {
					t.Errorf("with a key that has no answer: %d %s, without it %d %s", keyed.Status, keyed.Body, answer.Status, answer.Body)
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			passed[c.Group()]++
		})
	}
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

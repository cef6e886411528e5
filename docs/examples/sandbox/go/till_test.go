// Tests of a till against a sandbox. Each test has a world of its own.
package till_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/till"
)

var url = cmp.Or(os.Getenv("GIFTCARDS_SANDBOX_URL"), "http://127.0.0.1:8080")

// fresh uses no connection twice, because Go's transport retries by itself on a used one.
var fresh = &http.Transport{DisableKeepAlives: true}

// trouble adds a header to the first request.
type trouble struct{ header, value string }

func (t *trouble) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.header != "" {
		r = r.Clone(r.Context())
		r.Header.Set(t.header, t.value)
		t.header = ""
	}
	return fresh.RoundTrip(r)
}

// call asks the sandbox for something of its own.
func call(t *testing.T, method, path, body string, into any) {
	t.Helper()
	// The context of a test ends before its clean-up.
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
	if into != nil {
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// at returns a till with an active card, in a new world, whose first request has the header.
func at(t *testing.T, header, value string) (tl *till.Till, world string) {
	t.Helper()
	world = "go-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	var card struct{ Token, ProgramID, CardID string }
	call(t, "POST", "/sandbox/states?world="+world, `{"state": "an active card"}`, &card)
	t.Cleanup(func() { call(t, "DELETE", "/sandbox/worlds/"+world, "", nil) })
	client := &http.Client{Transport: &trouble{header, value}}
	return &till.Till{Client: client, Card: url + "/v2/giftcards/programs/" + card.ProgramID + "/cards/" + card.CardID, Token: card.Token}, world
}

func TestARetryRedeemsOnce(t *testing.T) {
	for _, one := range []trouble{{"Sandbox-Fault", "lost-answer"}, {"Sandbox-Fault", "down"}, {"Prefer", "code=429"}} {
		tl, world := at(t, one.header, one.value)
		if left, err := tl.Redeem(t.Context(), "5.00"); err != nil || left != "20.00" {
			t.Errorf("%v: %q left, %v", one, left, err)
		}
		var asked struct {
			Requests []struct{ IdempotencyKey string }
		}
		call(t, "GET", "/sandbox/requests?operation=redeemGiftCard&world="+world, "", &asked)
		if r := asked.Requests; len(r) != 2 || r[0].IdempotencyKey == "" || r[0] != r[1] {
			t.Errorf("%v: the till sent %+v", one, r)
		}
	}
}

func TestACardThatHasExpiredByThen(t *testing.T) {
	tl, _ := at(t, "Sandbox-Now", "2090-01-01T00:00:00Z")
	var refused till.RefusedError
	if _, err := tl.Redeem(t.Context(), "5.00"); !errors.As(err, &refused) || refused.Detail != "Gift card has expired" {
		t.Errorf("expired: %v", err)
	}
	if left, err := tl.Redeem(t.Context(), "5.00"); err != nil || left != "20.00" {
		t.Errorf("today: %q, %v", left, err)
	}
}

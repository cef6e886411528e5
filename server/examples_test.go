package server_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server/servertest"
)

// TestExamplesOfTheDocumentAreAccepted: the page at /docs shows them, and a reader has to replace
// only the merchant's id.
func TestExamplesOfTheDocumentAreAccepted(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]struct {
			Post struct {
				RequestBody struct {
					Content map[string]struct {
						Examples map[string]struct{ Value json.RawMessage }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(openapi.Complete, &document); err != nil {
		t.Fatal(err)
	}
	m := servertest.New(t).Merchant()
	for _, operation := range []string{"", "/bulk"} {
		examples := document.Paths["/v2/giftcards/programs/{programId}/cards"+operation].Post.RequestBody.Content["application/json"].Examples
		if len(examples) != 2 {
			t.Errorf("cards%s has %d examples, want 2", operation, len(examples))
		}
		for name, example := range examples {
			body := strings.Replace(string(example.Value), "5eb7cf5a86d9755df3a6c593", m.ID, 1)
			answer := m.Do(http.MethodPost, m.Cards()+operation, http.Header{"Content-Type": {"application/json"}}, []byte(body))
			if answer.Status != http.StatusCreated {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
	}
}

// TestTheExampleOfAReloadOverTheLimitIsTheServersAnswer: the document has it for both operations.
func TestTheExampleOfAReloadOverTheLimitIsTheServersAnswer(t *testing.T) {
	t.Parallel()
	document, err := openapi.Load()
	must(t, err)
	x := newShop(t)
	card := x.sell("14.50")
	x.done(card, "/reload", `{"amount":"5000"}`)
	for path, answer := range map[string]servertest.Answer{
		"{cardId}/reload":  x.ask(card, "/reload", "", `{"amount":"5000"}`),
		"reload-by-number": x.post("/cards/reload-by-number", "", `{"amount":"5000","cardNumber":"`+card.number+`"}`),
	} {
		declared := document.Paths.Value("/v2/giftcards/programs/{programId}/cards/" + path).Post.Responses.Status(http.StatusBadRequest)
		example := declared.Value.Content["application/json"].Examples["limit"].Value.Value
		var got any
		must(t, json.Unmarshal(answer.Body, &got))
		if answer.Status != http.StatusBadRequest || !reflect.DeepEqual(got, example) {
			t.Errorf("%s: %d %s, want %v", path, answer.Status, answer.Body, example)
		}
	}
	x.want(x.ask(card, "/reload", "", `{"amount":"5000"}`), http.StatusBadRequest, `{"detail":"Reload would exceed maximum card balance",`+
		`"currentBalance":5014.50,"reloadAmount":5000.00,"maxBalance":10000.00,"availableReloadAmount":4985.50}`)
}

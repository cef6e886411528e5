package server_test

import (
	"net/http"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/server/servertest"
)

// changeCard sends a request about a card as the merchant's issuer.
func changeCard(m *servertest.Merchant, path, key, body string) servertest.Answer {
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return m.Do("POST", m.Cards()+"/"+path, header, []byte(body))
}

// newCard issues a card of 25.00 and returns its id.
func newCard(t *testing.T, m *servertest.Merchant) string {
	t.Helper()
	created, err := m.Client.CreateGiftCardWithResponse(t.Context(), m.ProgramID, nil,
		api.CreateGiftCardRequest{InitialValue: amount(t, "25"), MerchantId: m.ID})
	if err != nil || created.JSON201 == nil {
		t.Fatalf("create: %v %s", err, created.Body)
	}
	return created.JSON201.Id
}

func TestACardIsActivatedRedeemedAndReloaded(t *testing.T) {
	t.Parallel()
	m := servertest.New(t).Merchant()
	card := newCard(t, m)
	for _, step := range []struct {
		path, key, body string
		status          int
		has             string
	}{
		{"/redeem", "", `{"amount":"1"}`, 400, `{"detail":"Gift card is not active"}`},
		{"/activate", "a", `{}`, 200, `"balance":"25.00"`},
		{"/activate", "a", `{}`, 200, `"status":"active"`},
		{"/activate", "", `{}`, 400, `{"detail":"Gift card has already been activated"}`},
		{"/redeem", "r", `{"amount":"10.50"}`, 200, `"remainingBalance":"14.50"`},
		{"/redeem", "r", `{"amount":"10.5"}`, 200, `"remainingBalance":"14.50"`},
		{"/redeem", "", `{"amount":"14.51"}`, 400, `{"detail":"Insufficient gift card balance"}`},
		{"/reload", "", `{"amount":"5000"}`, 200, `"balance":"5014.50"`},
		{"/reload", "", `{"amount":"5000"}`, 400, `"availableReloadAmount":4985.50`},
		{"/redeem", "", `{"amount":"5014.50"}`, 200, `"remainingBalance":"0.00"`},
		{"/reload", "", `{"amount":"1"}`, 400, `{"detail":"Gift card is not active"}`},
	} {
		answer := changeCard(m, card+step.path, step.key, step.body)
		if answer.Status != step.status || !strings.Contains(string(answer.Body), step.has) {
			t.Errorf("%s %s: %d %s, want %d %s", step.path, step.body, answer.Status, answer.Body, step.status, step.has)
		}
	}
}

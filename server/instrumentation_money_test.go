package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
)

// TestMetricsCountMoneyOnce by type and direction: a replay, a refusal and a reload that goes
// over the limit move none.
func TestMetricsCountMoneyOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	card, other := newCard(t, m), newCard(t, m)
	var sale struct{ TransactionID string }
	for _, step := range []struct {
		path, key, body string
		status          int
	}{
		{card + "/redeem", "", `{"amount":"1"}`, http.StatusBadRequest},
		{card + "/activate", "", `{}`, http.StatusOK},
		{card + "/reload", "", `{"amount":"5000"}`, http.StatusOK},
		{card + "/reload", "", `{"amount":"5000"}`, http.StatusBadRequest},
		{card + "/redeem", "sale", `{"amount":"10.05"}`, http.StatusOK},
		{card + "/redeem", "sale", `{"amount":"10.05"}`, http.StatusOK},
		{card + "/redeem", "", `{"amount":"9000"}`, http.StatusBadRequest},
		{other + "/activate", "", `{}`, http.StatusOK},
		{other + "/void", "", `{}`, http.StatusOK},
	} {
		answer := changeCard(m, step.path, step.key, step.body)
		if answer.Status != step.status {
			t.Fatalf("%s: %d %s", step.path, answer.Status, answer.Body)
		}
		if step.key != "" {
			if err := json.Unmarshal(answer.Body, &sale); err != nil {
				t.Fatal(err)
			}
		}
	}
	refund := changeCard(m, fmt.Sprintf("%s/transactions/%s/refund", card, sale.TransactionID), "", `{"amount":"0.05"}`)
	if refund.Status != http.StatusOK {
		t.Fatalf("refund: %d %s", refund.Status, refund.Body)
	}
	got := s.Metrics()
	want := map[string]float64{
		`giftcards_ledger_entries_total{type="ACTIVATION"}`:                2,
		`giftcards_ledger_entries_total{type="RELOAD"}`:                    1,
		`giftcards_ledger_entries_total{type="REDEMPTION"}`:                1,
		`giftcards_ledger_entries_total{type="REFUND"}`:                    1,
		`giftcards_ledger_entries_total{type="VOID"}`:                      1,
		`giftcards_ledger_entries_total{type="TRANSFER_IN"}`:               0,
		`giftcards_ledger_amount_total{direction="in",type="ACTIVATION"}`:  50,
		`giftcards_ledger_amount_total{direction="in",type="RELOAD"}`:      5000,
		`giftcards_ledger_amount_total{direction="out",type="REDEMPTION"}`: 10.05,
		`giftcards_ledger_amount_total{direction="in",type="REDEMPTION"}`:  0,
		`giftcards_ledger_amount_total{direction="in",type="REFUND"}`:      0.05,
		`giftcards_ledger_amount_total{direction="out",type="VOID"}`:       25,
		fmt.Sprintf(`giftcards_balance{program=%q}`, m.ProgramID):          5015,
		`giftcards_balance{program="others"}`:                              0,

		`giftcards_card_refusals_total{operation="redeemGiftCard",reason="Gift card is not active"}`:                  1,
		`giftcards_card_refusals_total{operation="redeemGiftCard",reason="Insufficient gift card balance"}`:           1,
		`giftcards_card_refusals_total{operation="reloadGiftCard",reason="Reload would exceed maximum card balance"}`: 1,
	}
	for series, value := range want {
		if got[series] != value {
			t.Errorf("%s is %v, want %v", series, got[series], value)
		}
	}
	for series := range got {
		if _, ok := want[series]; strings.HasPrefix(series, "giftcards_card_refusals_total") && !ok {
			t.Errorf("%s is there, too", series)
		}
	}
}

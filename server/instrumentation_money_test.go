package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestMetricsCountMoneyOnce, by type and direction. A replay, a refusal and a reload above the limit
// count nothing.
func TestMetricsCountMoneyOnce(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card, other := x.issue("25"), x.issue("25")
	for _, step := range []struct {
		card            giftCard
		path, key, body string
		status          int
	}{
		{card, "/redeem", "", `{"amount":"1"}`, http.StatusBadRequest},
		{card, "/activate", "", `{}`, http.StatusOK},
		{card, "/reload", "", `{"amount":"5000"}`, http.StatusOK},
		{card, "/reload", "", `{"amount":"5000"}`, http.StatusBadRequest},
		{card, "/redeem", "sale", `{"amount":"10.05"}`, http.StatusOK},
		{card, "/redeem", "sale", `{"amount":"10.05"}`, http.StatusOK},
		{card, "/redeem", "", `{"amount":"9000"}`, http.StatusBadRequest},
		{other, "/activate", "", `{}`, http.StatusOK},
		{other, "/void", "", `{}`, http.StatusOK},
	} {
		x.want(x.ask(step.card, step.path, step.key, step.body), step.status)
	}
	x.done(card, refundOf(x.entry(card, "REDEMPTION")), `{"amount":"0.05"}`)
	got := x.s.Metrics()
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
		fmt.Sprintf(`giftcards_balance{program=%q}`, x.m.ProgramID):        5015,
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

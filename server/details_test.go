package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/server/servertest"
)

// TestDetailsHaveTheNewestEntriesOfTheLedgerIfTheyAreAskedFor.
func TestDetailsHaveTheNewestEntriesOfTheLedgerIfTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	card := newCard(t, m)
	details := func(query string) (d api.GiftCardDetailsResponse, raw string) {
		t.Helper()
		answer := m.Do(http.MethodGet, m.Cards()+"/"+card+query, nil, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		if err := json.Unmarshal(answer.Body, &d); err != nil {
			t.Fatal(err)
		}
		return d, string(answer.Body)
	}
	for query, want := range map[string]string{"": `"transactions":null`, "?include_transactions=0": `"transactions":null`, "?include_transactions=on": `"transactions":[]`} {
		if _, raw := details(query); !strings.Contains(raw, want) || strings.Contains(raw, "securityCode") {
			t.Errorf("%s: %s", query, raw)
		}
	}
	for _, step := range []struct{ path, body string }{{"/activate", `{}`}, {"/redeem", `{"amount":"5.25","cashierId":"c","terminalId":"t","posTransactionId":"p"}`}, {"/reload", `{"amount":"1","referenceId":"r"}`}} {
		if answer := changeCard(m, card+step.path, "", step.body); answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", step.path, answer.Status, answer.Body)
		}
	}
	d, raw := details("?include_transactions=TRUE")
	if d.Transactions == nil || len(*d.Transactions) != 3 || d.Balance.String() != "20.75" {
		t.Fatalf("details: %s", raw)
	}
	for i, want := range []string{"RELOAD 1.00 19.75 20.75", "REDEMPTION -5.25 25.00 19.75", "ACTIVATION 25.00 0.00 25.00"} {
		e := (*d.Transactions)[i]
		if got := fmt.Sprint(e.TransactionType, " ", e.Amount, " ", e.BalanceBefore, " ", e.BalanceAfter); got != want || e.MerchantId != m.ID || !e.CreatedAt.Equal(e.ProcessedAt) {
			t.Errorf("entry %d: %s %+v, want %s", i, got, e, want)
		}
	}
	if e := (*d.Transactions)[1]; e.CashierId == nil || *e.CashierId != "c" || *e.TerminalId != "t" || *e.PosTransactionId != "p" || e.ReferenceId != nil {
		t.Errorf("redemption: %+v", e)
	}
	for range 1000 { // 1003 entries in all
		if answer := changeCard(m, card+"/reload", "", `{"amount":"0.01"}`); answer.Status != http.StatusOK {
			t.Fatalf("reload: %d %s", answer.Status, answer.Body)
		}
	}
	d, _ = details("?include_transactions=1")
	if len(*d.Transactions) != 1000 || (*d.Transactions)[0].BalanceAfter.String() != "30.75" || (*d.Transactions)[999].BalanceAfter.String() != "20.76" {
		t.Errorf("%d entries from %s to %s", len(*d.Transactions), (*d.Transactions)[0].BalanceAfter, (*d.Transactions)[999].BalanceAfter)
	}
}

package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

func TestDetailsHaveTheNewestEntriesOfTheLedgerIfTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.issue("25")
	details := func(query string) (d api.GiftCardDetailsResponse, raw string) {
		t.Helper()
		answer := x.m.Do(http.MethodGet, x.m.Cards()+"/"+card.id+query, nil, nil)
		return decode[api.GiftCardDetailsResponse](t, answer), string(answer.Body)
	}
	for query, want := range map[string]string{"": `"transactions":null`, "?include_transactions=0": `"transactions":null`, "?include_transactions=on": `"transactions":[]`} {
		if _, raw := details(query); !strings.Contains(raw, want) || strings.Contains(raw, "securityCode") {
			t.Errorf("%s: %s", query, raw)
		}
	}
	x.done(card, "/activate", `{}`)
	x.done(card, "/redeem", `{"amount":"5.25","cashierId":"c","terminalId":"t","posTransactionId":"p"}`)
	x.done(card, "/reload", `{"amount":"1","referenceId":"r"}`)
	d, raw := details("?include_transactions=TRUE")
	if d.Transactions == nil || len(*d.Transactions) != 3 || d.Balance.String() != "20.75" {
		t.Fatalf("details: %s", raw)
	}
	for i, want := range []string{"RELOAD 1.00 19.75 20.75", "REDEMPTION -5.25 25.00 19.75", "ACTIVATION 25.00 0.00 25.00"} {
		e := (*d.Transactions)[i]
		if got := fmt.Sprint(e.TransactionType, " ", e.Amount, " ", e.BalanceBefore, " ", e.BalanceAfter); got != want || e.MerchantId != x.m.ID || !e.CreatedAt.Equal(e.ProcessedAt) {
			t.Errorf("entry %d: %s %+v, want %s", i, got, e, want)
		}
	}
	if e := (*d.Transactions)[1]; e.CashierId == nil || *e.CashierId != "c" || *e.TerminalId != "t" || *e.PosTransactionId != "p" || e.ReferenceId != nil {
		t.Errorf("redemption: %+v", e)
	}
	plantReloads(t, x, card, 1000) // the card now has 1003 entries, and its details give 1000
	d, _ = details("?include_transactions=1")
	if len(*d.Transactions) != 1000 || (*d.Transactions)[0].BalanceAfter.String() != "30.75" || (*d.Transactions)[999].BalanceAfter.String() != "20.76" {
		t.Errorf("%d entries from %s to %s", len(*d.Transactions), (*d.Transactions)[0].BalanceAfter, (*d.Transactions)[999].BalanceAfter)
	}
}

// plantReloads inserts entries of reloads of 0.01 behind a balance of 20.75. It leaves the card's balance.
func plantReloads(t *testing.T, x shop, card giftCard, count int) {
	t.Helper()
	parsed, err := id.Parse(card.id)
	must(t, err)
	storetest.AsOwner(t, x.s.Store, func(tx *store.Tx) (struct{}, error) {
		enforce, err := plantingFreely(t, tx)
		if err != nil {
			return struct{}{}, err
		}
		for n := range count {
			at := x.s.Store.Clock().Add(time.Duration(n+1) * time.Second) // ids of one second have no order
			if _, err := tx.Unwrap().Exec(t.Context(), `insert into ledger_entries (program_id, card_id, id, type, amount, balance_before, balance_after, created_at)
				select program_id, id, $2, 'RELOAD', 0.01, 20.75 + $3::int * 0.01, 20.76 + $3::int * 0.01, $4 from gift_cards where id = $1`, parsed, id.New(at), n, at); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, enforce()
	})
}

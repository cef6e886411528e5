package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
)

// TestEachEndOfACardWritesItsEntry: it is the last entry of the card.
func TestEachEndOfACardWritesItsEntry(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	pending, reason, none, null, blank := x.lasting(long), x.active(long), x.active(long), x.active(long), x.active(long)
	refunded, part, extended, paid, ended := x.active(long), x.active(long), x.active(short), x.active(short), x.active(short)
	x.passTime()
	first, second := x.entry(refunded, "REDEMPTION"), x.entry(part, "REDEMPTION")
	for _, c := range []struct {
		card             giftCard
		path, body, want string
	}{
		{pending, "/void", `{}`, "VOID 0 0 Gift card void"},
		{reason, "/void", `{"reason":"stolen\u0000card"}`, "VOID -20 0 stolen card"},
		{none, "/void", ``, "VOID -20 0 Gift card void"},
		{null, "/void", `null`, "VOID -20 0 Gift card void"},
		{blank, "/void", `{"reason":null}`, "VOID -20 0 Gift card void"},
		{refunded, refundOf(first), ` {}`, "REFUND 5 25 Gift card refund " + first},
		{part, refundOf(second), `{"amount":"0.001","reason":"broken","posTransactionId":"till 7"}`,
			"REFUND 0.001 20.001 broken " + second + " till 7"},
		{extended, "/process-expired", `{"action":"extend","refundReference":"ignored"}`, "REDEMPTION -5 20 Gift card redemption"},
		{paid, "/process-expired", `{"action":"refund","refundReference":"bank 3","extensionDays":3}`, "REFUND -20 0 Gift card refund bank 3"},
		{ended, "/process-expired", `{"action":"void"}`, "VOID -20 0 Gift card void"},
	} {
		answer := x.done(c.card, c.path, c.body)
		entries := x.ledger(c.card, "type, amount, balance_after, description, reference_id, pos_transaction_id")
		if last := entries[len(entries)-1]; last != c.want {
			t.Errorf("%s %s: %s, and the ledger ends with %q, want %q", c.path, c.body, answer.Body, last, c.want)
		}
	}
}

func TestAnExpiredCardIsExtendedFromNowOn(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card, byDefault := x.active(short), x.active(short)
	paid := x.active(short)
	x.pass(500 * 24 * time.Hour)
	x.s.Clock.Stop()
	for _, c := range []struct {
		card giftCard
		body string
		days int
	}{
		{card, `{"action":"extend","extensionDays":30}`, 30}, {byDefault, `{"action":"extend"}`, 365},
	} {
		settled := decode[api.ProcessExpiredCardResponse](t, x.done(c.card, "/process-expired", c.body))
		until := x.s.Store.Clock().Add(time.Duration(c.days) * 24 * time.Hour)
		if settled.NewExpiresAt == nil || settled.NewExpiresAt.Sub(until).Abs() > time.Millisecond || settled.TransactionId != nil ||
			settled.Message != "Gift card extended" || settled.Action != "extend" || settled.CardId != c.card.id || !settled.Success {
			t.Errorf("%s: %+v, want until %s", c.body, settled, until)
		}
		if state, balance := x.state(c.card); state != "active" || balance != "20" {
			t.Errorf("%s: the card is %s with %s", c.body, state, balance)
		}
	}
	settled := decode[api.ProcessExpiredCardResponse](t, x.done(paid, "/process-expired", `{"action":"refund"}`))
	if settled.Message != "Gift card refunded" || settled.NewExpiresAt != nil || settled.TransactionId == nil {
		t.Errorf("refund: %+v", settled)
	}
}

// TestARefundMayGoOverTheLargestBalance, because a refusal would destroy money.
func TestARefundMayGoOverTheLargestBalance(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	for _, amount := range []string{"5000", "4980"} {
		x.done(card, "/reload", `{"amount":`+amount+`}`)
	}
	refund := decode[api.RefundTransactionResponse](t, x.done(card, refundOf(x.entry(card, "REDEMPTION")), `{}`))
	if refund.RefundedAmount != "5.00" || refund.RemainingBalance.String() != "10005.00" || refund.GiftCardId != card.id || !refund.Success {
		t.Errorf("%+v", refund)
	}
	x.want(x.ask(card, "/reload", "", `{"amount":1}`), http.StatusBadRequest, `"availableReloadAmount":0.00`)
}

// TestARefundIsRefusedWithTheWordsOfItsReason: the entry is judged first, then the state of the card,
// and then the amount.
func TestARefundIsRefusedWithTheWordsOfItsReason(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card, stranger := x.active(long), x.active(long)
	activation, redemption := x.entry(card, "ACTIVATION"), x.entry(card, "REDEMPTION")
	for _, c := range []struct{ entry, body, want string }{
		{nowhere.id, `{}`, noSuchEntry},
		{x.entry(stranger, "REDEMPTION"), `{}`, noSuchEntry},
		{activation, `{}`, "400 Refunds are not allowed for this transaction."},
		{redemption, `{"amount":5.01}`, "400 Invalid transaction amount."},
		{redemption, `{"amount":"5.000000000000000001"}`, "400 Invalid transaction amount."},
		{redemption, `{"amount":2}`, "200"},
		{redemption, `{"amount":3.01}`, "400 Invalid transaction amount."},
		{redemption, `{}`, "200"},
		{redemption, `{}`, "400 This transaction has already been processed."},
		{redemption, `{"amount":9}`, "400 This transaction has already been processed."},
		{redemption, `{"amount":0}`, "422"},
		{redemption, `{"amount":"-1"}`, "422"},
	} {
		x.says(c.body, x.ask(card, refundOf(c.entry), "", c.body), c.want)
	}
	x.voided(card)
	for entry, want := range map[string]string{nowhere.id: noSuchEntry, activation: voided, redemption: voided} {
		x.says("on a voided card", x.ask(card, refundOf(entry), "", `{"amount":900}`), want)
	}
}

// TestConcurrentRefundsOfARedemptionNeverExceedIt: as many succeed as there is money.
func TestConcurrentRefundsOfARedemptionNeverExceedIt(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	redemption := x.entry(card, "REDEMPTION")
	answers := make(chan servertest.Answer)
	for range 12 {
		go func() { answers <- x.ask(card, refundOf(redemption), "", `{"amount":1}`) }()
	}
	statuses := map[int]int{}
	for range 12 {
		statuses[(<-answers).Status]++
	}
	if _, balance := x.state(card); statuses[http.StatusOK] != 5 || statuses[http.StatusBadRequest] != 7 || balance != "25" {
		t.Errorf("statuses %v, balance %s", statuses, balance)
	}
}

// TestTheEndOfASuspensionMustBeInTheFuture. At that time the suspension is over.
func TestTheEndOfASuspensionMustBeInTheFuture(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	x.s.Clock.Stop()
	until := func(after time.Duration) string {
		return fmt.Sprintf(`{"reason":"lost","suspendedUntil":%q}`, x.s.Store.Clock().Add(after).UTC().Format(time.RFC3339Nano))
	}
	for _, after := range []time.Duration{-time.Hour, 0} {
		x.want(x.ask(card, "/suspend", "", until(after)), http.StatusUnprocessableEntity,
			`"type":"datetime_future","loc":["body","suspendedUntil"],"msg":"Input should be in the future"`)
	}
	x.want(x.ask(card, "/suspend", "", until(time.Minute)), http.StatusOK,
		`"status":"suspended"`, `"suspendedReason":"lost"`, `"suspendedUntil":"2`, `"suspendedAt":"2`)
	for _, step := range []struct {
		by    time.Duration
		state string
	}{{time.Minute - time.Microsecond, "suspended"}, {time.Microsecond, "active"}} {
		x.s.Clock.Move(step.by)
		if state, _ := x.state(card); state != step.state {
			t.Errorf("after another %s the card is %s, want %s", step.by, state, step.state)
		}
	}
	x.want(x.ask(card, "/reload", "", `{"amount":1}`), http.StatusOK, `"suspendedReason":null`, `"suspendedAt":null`)
}

// TestAnEndThatIsAfterTheYear9999InUTCIsTheLastInstantOfIt, because answers cannot name a later time.
func TestAnEndThatIsAfterTheYear9999InUTCIsTheLastInstantOfIt(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	x.want(x.ask(x.active(long), "/suspend", "", `{"suspendedUntil":"9999-12-31T23:59:59-23:59"}`), http.StatusOK,
		`"status":"suspended"`, `"suspendedUntil":"9999-12-31T23:59:59.999999Z"`)
}

// TestAChangeOfACardIsInTheAuditLogUnderTheCard. This also holds for a refund, although its
// idempotency key belongs to the card and the entry.
func TestAChangeOfACardIsInTheAuditLogUnderTheCard(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	x.done(card, "/suspend", `{}`)
	x.done(card, "/resume", ``)
	x.done(card, refundOf(x.entry(card, "REDEMPTION")), `{}`)
	x.done(card, "/void", `{}`)
	operations := x.query(card, "select operation from audit_log where subject = $1 order by at")
	want := []string{"activateGiftCard", "redeemGiftCard", "suspendGiftCard", "resumeGiftCard", "refundGiftCardTransaction", "voidGiftCard"}
	if i := slices.Index(operations, want[0]); i < 0 || !slices.Equal(operations[i:], want) {
		t.Errorf("the log has %v, want %v", operations, want)
	}
}

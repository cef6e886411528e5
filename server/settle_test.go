package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/id"
)

// ledger returns the entries of a card, oldest first, without their ids and times.
func (x shop) ledger(card cardInShop) (entries []string) {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	rows, err := x.s.Store.Pool().Query(x.t.Context(), `select concat_ws(' | ', type, amount, balance_after, description, reference_id, pos_transaction_id)
		from ledger_entries where card_id = $1 order by id`, parsed)
	must(x.t, err)
	defer rows.Close()
	for rows.Next() {
		var entry string
		must(x.t, rows.Scan(&entry))
		entries = append(entries, entry)
	}
	must(x.t, rows.Err())
	return entries
}

// TestEachEndOfACardWritesItsEntry: the last entry of the card, after what was done to it.
func TestEachEndOfACardWritesItsEntry(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	pending, reason, none, null, blank := x.issue(long), x.active(long), x.active(long), x.active(long), x.active(long)
	refunded, part, extended, paid, ended := x.active(long), x.active(long), x.active(short), x.active(short), x.active(short)
	x.passTime()
	for _, c := range []struct {
		card             cardInShop
		path, body, want string
	}{
		{pending, "/void", `{}`, "VOID | 0 | 0 | Gift card void"},
		{reason, "/void", `{"reason":"stolen\u0000card"}`, "VOID | -20 | 0 | stolen card"},
		{none, "/void", ``, "VOID | -20 | 0 | Gift card void"},
		{null, "/void", `null`, "VOID | -20 | 0 | Gift card void"},
		{blank, "/void", `{"reason":null}`, "VOID | -20 | 0 | Gift card void"},
		{refunded, "/transactions/" + refunded.redemption + "/refund", ` {}`, "REFUND | 5 | 25 | Gift card refund | " + refunded.redemption},
		{part, "/transactions/" + part.redemption + "/refund", `{"amount":"0.001","reason":"broken","posTransactionId":"till 7"}`,
			"REFUND | 0.001 | 20.001 | broken | " + part.redemption + " | till 7"},
		{extended, "/process-expired", `{"action":"extend","refundReference":"ignored"}`, "REDEMPTION | -5 | 20 | Gift card redemption"},
		{paid, "/process-expired", `{"action":"refund","refundReference":"bank 3","extensionDays":3}`, "REFUND | -20 | 0 | Gift card refund | bank 3"},
		{ended, "/process-expired", `{"action":"void"}`, "VOID | -20 | 0 | Gift card void"},
	} {
		answer := x.done(c.card, c.path, c.body)
		entries := x.ledger(c.card)
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
	x.s.Clock.Move(500 * 24 * time.Hour)
	x.m.Token = x.s.Login(x.m.Email, x.m.Password)
	x.s.Clock.Stop()
	for _, c := range []struct {
		card cardInShop
		body string
		days int
	}{
		{card, `{"action":"extend","extensionDays":30}`, 30}, {byDefault, `{"action":"extend"}`, 365},
	} {
		var settled api.ProcessExpiredCardResponse
		must(t, json.Unmarshal(x.done(c.card, "/process-expired", c.body).Body, &settled))
		until := x.s.Store.Clock().Add(time.Duration(c.days) * 24 * time.Hour)
		if settled.NewExpiresAt == nil || settled.NewExpiresAt.Sub(until).Abs() > time.Millisecond || settled.TransactionId != nil ||
			settled.Message != "Gift card extended" || settled.Action != "extend" || settled.CardId != c.card.id || !settled.Success {
			t.Errorf("%s: %+v, want until %s", c.body, settled, until)
		}
		if state, balance := x.state(c.card); state != "active" || balance != "20" {
			t.Errorf("%s: the card is %s with %s", c.body, state, balance)
		}
	}
	var settled api.ProcessExpiredCardResponse
	must(t, json.Unmarshal(x.done(paid, "/process-expired", `{"action":"refund"}`).Body, &settled))
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
	var refund api.RefundTransactionResponse
	must(t, json.Unmarshal(x.done(card, "/transactions/"+card.redemption+"/refund", `{}`).Body, &refund))
	if refund.RefundedAmount != "5.00" || refund.RemainingBalance.String() != "10005.00" || refund.GiftCardId != card.id || !refund.Success {
		t.Errorf("%+v", refund)
	}
	refused := x.ask(card, "/reload", "", `{"amount":1}`)
	if refused.Status != http.StatusBadRequest || !strings.Contains(string(refused.Body), `"availableReloadAmount":0.00`) {
		t.Errorf("a reload after that: %d %s", refused.Status, refused.Body)
	}
}

// TestARefundIsRefusedWithTheWordsOfItsReason: the state of the card comes after the entry, and
// before the amount.
func TestARefundIsRefusedWithTheWordsOfItsReason(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card, stranger := x.active(long), x.active(long)
	first := x.entryID(card, "ACTIVATION")
	for _, c := range []struct{ entry, body, want string }{
		{noEntry, `{}`, noSuchEntry},
		{stranger.redemption, `{}`, noSuchEntry},
		{first, `{}`, "400 Refunds are not allowed for this transaction."},
		{card.redemption, `{"amount":5.01}`, "400 Invalid transaction amount."},
		{card.redemption, `{"amount":"5.000000000000000001"}`, "400 Invalid transaction amount."},
		{card.redemption, `{"amount":2}`, "200 "},
		{card.redemption, `{"amount":3.01}`, "400 Invalid transaction amount."},
		{card.redemption, `{}`, "200 "},
		{card.redemption, `{}`, "400 This transaction has already been processed."},
		{card.redemption, `{"amount":9}`, "400 This transaction has already been processed."},
		{card.redemption, `{"amount":0}`, "422 "},
		{card.redemption, `{"amount":"-1"}`, "422 "},
	} {
		answer := x.ask(card, "/transactions/"+c.entry+"/refund", "", c.body)
		if got := fmt.Sprint(answer.Status, " ", string(answer.Body)); !strings.HasPrefix(got, c.want[:4]) || !strings.Contains(got, c.want[4:]) {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	x.voided(card)
	for entry, want := range map[string]string{noEntry: noSuchEntry, first: voided, card.redemption: voided} {
		answer := x.ask(card, "/transactions/"+entry+"/refund", "", `{"amount":900}`)
		if got := fmt.Sprint(answer.Status, " ", string(answer.Body)); !strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) {
			t.Errorf("on a voided card: %s, want %s", got, want)
		}
	}
}

// entryID returns the id of a card's first entry of a type.
func (x shop) entryID(card cardInShop, kind string) (entry string) {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	must(x.t, x.s.Store.Pool().QueryRow(x.t.Context(), "select encode(id, 'hex') from ledger_entries where card_id = $1 and type = $2 order by id limit 1", parsed, kind).Scan(&entry))
	return entry
}

// TestConcurrentRefundsOfARedemptionNeverExceedIt: as many succeed as there is money.
func TestConcurrentRefundsOfARedemptionNeverExceedIt(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	answers := make(chan servertest.Answer)
	for range 12 {
		go func() { answers <- x.ask(card, "/transactions/"+card.redemption+"/refund", "", `{"amount":1}`) }()
	}
	statuses := map[int]int{}
	for range 12 {
		statuses[(<-answers).Status]++
	}
	if _, balance := x.state(card); statuses[http.StatusOK] != 5 || statuses[http.StatusBadRequest] != 7 || balance != "25" {
		t.Errorf("statuses %v, balance %s", statuses, balance)
	}
}

// TestTheEndOfASuspensionMustBeInTheFuture, and at that time the suspension is over.
func TestTheEndOfASuspensionMustBeInTheFuture(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	x.s.Clock.Stop()
	until := func(after time.Duration) string {
		return fmt.Sprintf(`{"reason":"lost","suspendedUntil":%q}`, x.s.Store.Clock().Add(after).UTC().Format(time.RFC3339Nano))
	}
	for _, after := range []time.Duration{-time.Hour, 0} {
		answer := x.ask(card, "/suspend", "", until(after))
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"type":"datetime_future","loc":["body","suspendedUntil"],"msg":"Input should be in the future"`) {
			t.Errorf("%s from now: %d %s", after, answer.Status, answer.Body)
		}
	}
	answer := x.done(card, "/suspend", until(time.Minute))
	for _, has := range []string{`"status":"suspended"`, `"suspendedReason":"lost"`, `"suspendedUntil":"2`, `"suspendedAt":"2`} {
		if !strings.Contains(string(answer.Body), has) {
			t.Errorf("%s, want %s", answer.Body, has)
		}
	}
	for _, step := range []struct {
		by    time.Duration
		state string
	}{{time.Minute - time.Microsecond, "suspended"}, {time.Microsecond, "active"}} {
		x.s.Clock.Move(step.by)
		if state, _ := x.state(card); state != step.state {
			t.Errorf("after another %s the card is %s, want %s", step.by, state, step.state)
		}
	}
	if answer := x.done(card, "/reload", `{"amount":1}`); !strings.Contains(string(answer.Body), `"suspendedReason":null`) || !strings.Contains(string(answer.Body), `"suspendedAt":null`) {
		t.Errorf("after the end: %s", answer.Body)
	}
}

// TestAChangeOfACardIsInTheAuditLogUnderTheCard, also a refund, whose key has the entry too.
func TestAChangeOfACardIsInTheAuditLogUnderTheCard(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	x.done(card, "/suspend", `{}`)
	x.done(card, "/resume", ``)
	x.done(card, "/transactions/"+card.redemption+"/refund", `{}`)
	x.done(card, "/void", `{}`)
	parsed, err := id.Parse(card.id)
	must(t, err)
	var operations []string
	must(t, x.s.Store.Pool().QueryRow(t.Context(), "select array_agg(operation order by at) from audit_log where subject = $1", parsed).Scan(&operations))
	want := []string{"activateGiftCard", "redeemGiftCard", "suspendGiftCard", "resumeGiftCard", "refundGiftCardTransaction", "voidGiftCard"}
	if i := slices.Index(operations, want[0]); i < 0 || !slices.Equal(operations[i:], want) {
		t.Errorf("the log has %v, want %v", operations, want)
	}
}

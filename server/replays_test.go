package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
)

// keyedChange is an operation on one card that accepts an idempotency key.
type keyedChange struct {
	name  string
	ready func(x shop) giftCard // makes a card for the change; nil means an active card
	path  string                // {card} and {redemption} are filled in
	body  string                // {number} is filled in, here and below
	equal string                // the same request in other words
	other string                // another request
	ends  bool                  // the change voids the card; otherwise the test voids it before the retry
}

var keyedChanges = []keyedChange{
	{name: "activate", ready: func(x shop) giftCard { return x.lasting(long) }, path: "/cards/{card}/activate", body: `{}`, equal: `{"customerName":null}`, other: `{"customerName":"Bo"}`},
	{name: "redeem", path: "/cards/{card}/redeem", body: `{"amount":"10.50"}`, equal: `{"amount":10.5,"description":null}`, other: `{"amount":"10.51"}`},
	{name: "redeem for a note", path: "/cards/{card}/redeem", body: `{"amount":1,"cashierId":"a"}`, equal: `{"cashierId":"a","amount":1.00}`, other: `{"amount":1,"cashierId":"b"}`},
	{name: "reload", path: "/cards/{card}/reload", body: `{"amount":3}`, equal: `{"amount":"3.0"}`, other: `{"amount":4}`},
	{
		name: "reload-by-number", path: "/cards/reload-by-number",
		body: `{"amount":3,"cardNumber":"{number}"}`, equal: `{"cardNumber":"{number}","amount":3.0}`, other: `{"amount":4,"cardNumber":"{number}"}`,
	},
	{name: "void", ends: true, path: "/cards/{card}/void", body: `{"reason":"lost"}`, equal: `{"reason":"lost","unknown":1}`, other: `{}`},
	{name: "void without a body", ends: true, path: "/cards/{card}/void", body: ``, equal: `{"reason":null}`, other: `{"reason":"lost"}`},
	{name: "refund", path: "/cards/{card}/transactions/{redemption}/refund", body: `{"amount":2}`, equal: `{"amount":"2.00","reason":null}`, other: `{"amount":3}`},
	{name: "refund of all", path: "/cards/{card}/transactions/{redemption}/refund", body: `{}`, equal: `{"amount":null}`, other: `{"amount":5}`},
	{
		name: "extend", ready: expiredCard, path: "/cards/{card}/process-expired",
		body: `{"action":"extend"}`, equal: `{"action":"extend","extensionDays":365,"refundReference":"x"}`, other: `{"action":"extend","extensionDays":30}`,
	},
	{
		name: "pay out", ready: expiredCard, ends: true, path: "/cards/{card}/process-expired",
		body: `{"action":"refund","refundReference":"x"}`, equal: `{"action":"refund","refundReference":"x","extensionDays":3}`, other: `{"action":"void"}`,
	},
	{
		name: "void an expired one", ready: expiredCard, ends: true, path: "/cards/{card}/process-expired",
		body: `{"action":"void"}`, equal: `{"action":"void","refundReference":"x"}`, other: `{"action":"refund"}`,
	},
}

func expiredCard(x shop) giftCard {
	card := x.active(short)
	x.passTime()
	return card
}

// TestAKeyedChangeReplaysAfterTheCardHasChanged, byte for byte, and changes nothing more. Under the
// same key, a request for another card is another request, and another body is refused.
func TestAKeyedChangeReplaysAfterTheCardHasChanged(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	for _, c := range keyedChanges {
		ask := func(card giftCard, body string) servertest.Answer {
			fill := strings.NewReplacer("{card}", card.id, "{number}", card.number, "{redemption}", x.entry(card, "REDEMPTION"))
			return x.post(fill.Replace(c.path), "key of "+c.name, fill.Replace(body))
		}
		if c.ready == nil {
			c.ready = func(x shop) giftCard { return x.active(long) }
		}
		card, another := c.ready(x), c.ready(x)
		first := ask(card, c.body)
		if first.Status != http.StatusOK || first.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: %d %s", c.name, first.Status, first.Body)
			continue
		}
		if !c.ends {
			x.voided(card)
		}
		before := x.rows(card)
		for _, body := range []string{c.body, c.equal} {
			again := ask(card, body)
			if again.Status != first.Status || !bytes.Equal(again.Body, first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s, again with %s: %d %s, want %s", c.name, body, again.Status, again.Body, first.Body)
			}
		}
		x.says(c.name+" with another body", ask(card, c.other), `422 "loc":["header","idempotency-key"]`)
		x.is(c.name+", after retries", x.rows(card), before)
		second := ask(another, c.body)
		if second.Status != http.StatusOK || second.Header.Get("Idempotent-Replayed") != "" || bytes.Equal(second.Body, first.Body) {
			t.Errorf("%s of another card under the key: %d %s", c.name, second.Status, second.Body)
		}
	}
}

// TestARefundOfAnotherRedemptionIsAnotherRequest under the same key.
func TestARefundOfAnotherRedemptionIsAnotherRequest(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	for _, redemption := range []string{x.entry(card, "REDEMPTION"), x.redeem(card, "5")} {
		answer := x.ask(card, refundOf(redemption), "the key", `{}`)
		if answer.Status != http.StatusOK || answer.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	if _, balance := x.state(card); balance != "25" {
		t.Errorf("the balance is %s", balance)
	}
}

// TestARefusalIsNotKeptUnderItsKey: the same request succeeds when the card's state allows it.
func TestARefusalIsNotKeptUnderItsKey(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	for _, want := range []int{http.StatusBadRequest, http.StatusOK} {
		if answer := x.ask(card, "/redeem", "the key", `{"amount":30}`); answer.Status != want {
			t.Errorf("%d %s, want %d", answer.Status, answer.Body, want)
		}
		x.done(card, "/reload", `{"amount":30}`)
	}
}

// TestSuspendResumeAndScheduleTakeNoKey: a second request under the key of the first has its own
// effect and is no replay, and no key is kept.
func TestSuspendResumeAndScheduleTakeNoKey(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	for _, c := range []struct {
		method, path string
		ready        func(x shop, card giftCard) giftCard // before each request; nil means nothing
		bodies       [2]string
		effect       string // the columns of the card that the request changes
		want         [2]string
	}{
		{
			method: http.MethodPost, path: "/suspend", bodies: [2]string{`{"reason":"lost"}`, `{"reason":"stolen"}`},
			effect: "suspended_reason", want: [2]string{"lost", "stolen"},
		},
		{
			method: http.MethodPost, path: "/resume", ready: shop.suspended, bodies: [2]string{``, `{}`},
			effect: "coalesce(suspended_reason, suspended_at::text, 'none')", want: [2]string{"none", "none"},
		},
		{
			method: http.MethodPatch, path: "/schedule", bodies: [2]string{`{"deliverAt":"2020-01-01T00:00:00Z"}`, `{"deliverAt":"2020-01-02T00:00:00Z"}`},
			effect: "(deliver_at at time zone 'UTC')::date::text", want: [2]string{"2020-01-01", "2020-01-02"},
		},
	} {
		card := x.active(long)
		for i, body := range c.bodies {
			if c.ready != nil {
				c.ready(x, card)
			}
			answer := x.m.Do(c.method, x.m.Cards()+"/"+card.id+c.path, withKey("the key"), []byte(body))
			if answer.Status != http.StatusOK || answer.Header.Get("Idempotent-Replayed") != "" {
				t.Errorf("%s %s: %d %s, replayed %q", c.path, body, answer.Status, answer.Body, answer.Header.Get("Idempotent-Replayed"))
			}
			x.is(c.path+" "+body, strings.Join(x.query(card, "select "+c.effect+" from gift_cards where id = $1"), ""), c.want[i])
		}
	}
	card := x.active(long)
	for i := range 2 {
		if answer := x.ask(card, "/suspend", "the key", fmt.Sprintf(`{"reason":"reason %d"}`, i)); !strings.Contains(string(answer.Body), fmt.Sprintf("reason %d", i)) {
			t.Errorf("suspend: %d %s", answer.Status, answer.Body)
		}
	}
	if first, again := x.ask(card, "/resume", "the key", ""), x.ask(card, "/resume", "the key", ""); first.Status != http.StatusOK || again.Status != http.StatusBadRequest {
		t.Errorf("resume: %d %s, again %d %s", first.Status, first.Body, again.Status, again.Body)
	}
	if n := count(t, x.s, "idempotency_keys"); n != 0 {
		t.Errorf("%d keys", n)
	}
}

package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
)

// keyedChanges are the operations on one card that accept an idempotency key: how a card gets
// ready for it, two bodies that are different requests, and what happens to the card after it.
var keyedChanges = []struct {
	operation   string
	ready       func(x shop) cardInShop
	path        string // {redemption} is the card's
	body, other string
	equal       string // the same request in other words
	after       func(x shop, card cardInShop)
}{
	{"activate", func(x shop) cardInShop { return x.issue(long) }, "/activate", `{}`, `{"customerName":"Bo"}`, `{"customerName":null}`, voidCard},
	{"redeem", func(x shop) cardInShop { return x.active(long) }, "/redeem", `{"amount":"10.50"}`, `{"amount":"10.51"}`, `{"amount":10.5,"description":null}`, voidCard},
	{"redeem for a note", func(x shop) cardInShop { return x.active(long) }, "/redeem", `{"amount":1,"cashierId":"a"}`, `{"amount":1,"cashierId":"b"}`, `{"cashierId":"a","amount":1.00}`, voidCard},
	{"reload", func(x shop) cardInShop { return x.active(long) }, "/reload", `{"amount":3}`, `{"amount":4}`, `{"amount":"3.0"}`, voidCard},
	{"reload-by-number", func(x shop) cardInShop { return x.active(long) }, "", `{"amount":3,"cardNumber":"{number}"}`, `{"amount":4,"cardNumber":"{number}"}`, `{"cardNumber":"{number}","amount":3.0}`, voidCard},
	{"void", func(x shop) cardInShop { return x.active(long) }, "/void", `{"reason":"lost"}`, `{}`, `{"reason":"lost","unknown":1}`, func(shop, cardInShop) {}},
	{"void without a body", func(x shop) cardInShop { return x.active(long) }, "/void", ``, `{"reason":"lost"}`, `{"reason":null}`, func(shop, cardInShop) {}},
	{"refund", func(x shop) cardInShop { return x.active(long) }, "/transactions/{redemption}/refund", `{"amount":2}`, `{"amount":3}`, `{"amount":"2.00","reason":null}`, voidCard},
	{"refund of all", func(x shop) cardInShop { return x.active(long) }, "/transactions/{redemption}/refund", `{}`, `{"amount":5}`, `{"amount":null}`, voidCard},
	{"extend", expiredCard, "/process-expired", `{"action":"extend"}`, `{"action":"extend","extensionDays":30}`, `{"action":"extend","extensionDays":365,"refundReference":"x"}`, voidCard},
	{"pay out", expiredCard, "/process-expired", `{"action":"refund","refundReference":"x"}`, `{"action":"void"}`, `{"action":"refund","refundReference":"x","extensionDays":3}`, func(shop, cardInShop) {}},
	{"void an expired one", expiredCard, "/process-expired", `{"action":"void"}`, `{"action":"refund"}`, `{"action":"void","refundReference":"x"}`, func(shop, cardInShop) {}},
}

func voidCard(x shop, card cardInShop) { x.done(card, "/void", `{}`) }

func expiredCard(x shop) cardInShop {
	card := x.active(short)
	x.passTime()
	return card
}

// TestAKeyedChangeReplaysAfterTheCardHasChanged byte for byte and changes nothing more; under the
// same key, another card is another request, and another body is refused.
func TestAKeyedChangeReplaysAfterTheCardHasChanged(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	for _, c := range keyedChanges {
		ask := func(card cardInShop, body string) servertest.Answer {
			path := strings.Replace(c.path, "{redemption}", card.redemption, 1)
			about := card.id
			if path == "" {
				about = "reload-by-number"
			}
			return changeCard(x.m, about+path, "key of "+c.operation, strings.Replace(body, "{number}", card.number, 1))
		}
		card, another := c.ready(x), c.ready(x)
		first := ask(card, c.body)
		if first.Status != http.StatusOK || first.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: %d %s", c.operation, first.Status, first.Body)
			continue
		}
		c.after(x, card)
		state, balance := x.state(card)
		for _, body := range []string{c.body, c.equal} {
			again := ask(card, body)
			if again.Status != first.Status || !bytes.Equal(again.Body, first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s, again with %s: %d %s, want %s", c.operation, body, again.Status, again.Body, first.Body)
			}
		}
		if other := ask(card, c.other); other.Status != http.StatusUnprocessableEntity || !strings.Contains(string(other.Body), `"loc":["header","idempotency-key"]`) {
			t.Errorf("%s with another body: %d %s", c.operation, other.Status, other.Body)
		}
		if now, left := x.state(card); now != state || left != balance {
			t.Errorf("%s: retries made %s with %s of %s with %s", c.operation, now, left, state, balance)
		}
		second := ask(another, c.body)
		if second.Status != http.StatusOK || second.Header.Get("Idempotent-Replayed") != "" || bytes.Equal(second.Body, first.Body) {
			t.Errorf("%s of another card under the key: %d %s", c.operation, second.Status, second.Body)
		}
	}
}

// TestARefundOfAnotherRedemptionIsAnotherRequest under the same key.
func TestARefundOfAnotherRedemptionIsAnotherRequest(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	for _, redemption := range []string{card.redemption, x.redeem(card, "5")} {
		answer := x.ask(card, "/transactions/"+redemption+"/refund", "the key", `{}`)
		if answer.Status != http.StatusOK || answer.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	if _, balance := x.state(card); balance != "25" {
		t.Errorf("the balance is %s", balance)
	}
}

// TestARefusalIsNotKeptUnderItsKey: the same request succeeds once the card allows it.
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

// TestSuspendAndResumeTakeNoKey: they are done again.
func TestSuspendAndResumeTakeNoKey(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.active(long)
	for i := range 2 {
		answer := x.ask(card, "/suspend", "the key", fmt.Sprintf(`{"reason":"reason %d"}`, i))
		if answer.Status != http.StatusOK || !strings.Contains(string(answer.Body), fmt.Sprintf("reason %d", i)) || answer.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("suspend: %d %s", answer.Status, answer.Body)
		}
	}
	if first, again := x.ask(card, "/resume", "the key", ""), x.ask(card, "/resume", "the key", ""); first.Status != http.StatusOK || again.Status != http.StatusBadRequest {
		t.Errorf("resume: %d %s, again %d %s", first.Status, first.Body, again.Status, again.Body)
	}
}

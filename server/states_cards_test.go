package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/id"
)

// shop is a merchant whose cards the tests of a card's life work on.
type shop struct {
	t *testing.T
	s *servertest.Server
	m *servertest.Merchant
}

func newShop(t *testing.T) shop {
	t.Helper()
	s := servertest.New(t)
	return shop{t: t, s: s, m: s.Merchant()}
}

// cardInShop is a card of 25.00 of a shop.
type cardInShop struct {
	id, number string
	redemption string // the id of its first redemption, or an id that no entry has
}

// noEntry is the id of no entry.
const noEntry = "5eb7cf5a86d9755df3a6c596"

// issue issues a card of 25.00 that expires after a lifetime.
func (x shop) issue(lifetime time.Duration) cardInShop {
	x.t.Helper()
	body := fmt.Sprintf(`{"initialValue":25,"merchantId":%q,"customerEmail":"ada@example.com","expiresAt":%q}`,
		x.m.ID, x.s.Store.Clock().Add(lifetime).UTC().Format(time.RFC3339Nano))
	answer := x.m.Do(http.MethodPost, x.m.Cards(), jsonHeader, []byte(body))
	var card api.GiftCardResponse
	if err := json.Unmarshal(answer.Body, &card); err != nil || answer.Status != http.StatusCreated {
		x.t.Fatalf("create: %d %s", answer.Status, answer.Body)
	}
	return cardInShop{id: card.Id, number: card.CardNumber, redemption: noEntry}
}

// ask sends a request about a card as the shop's user.
func (x shop) ask(card cardInShop, path, key, body string) servertest.Answer {
	x.t.Helper()
	return changeCard(x.m, card.id+path, key, body)
}

// done is ask for a request that must succeed.
func (x shop) done(card cardInShop, path, body string) servertest.Answer {
	x.t.Helper()
	answer := x.ask(card, path, "", body)
	if answer.Status != http.StatusOK {
		x.t.Fatalf("%s: %d %s", path, answer.Status, answer.Body)
	}
	return answer
}

// redeem takes an amount from a card and returns the id of the entry.
func (x shop) redeem(card cardInShop, amount string) string {
	x.t.Helper()
	var redeemed api.RedeemResponse
	must(x.t, json.Unmarshal(x.done(card, "/redeem", `{"amount":`+amount+`}`).Body, &redeemed))
	return redeemed.TransactionId
}

// active issues and activates a card, and takes 5.00 from it.
func (x shop) active(lifetime time.Duration) cardInShop {
	x.t.Helper()
	card := x.issue(lifetime)
	x.done(card, "/activate", `{}`)
	card.redemption = x.redeem(card, "5")
	return card
}

// state returns the state of a card now, and its balance.
func (x shop) state(card cardInShop) (state, balance string) {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	must(x.t, x.s.Store.Pool().QueryRow(x.t.Context(), `select card_state(status, activated_at, balance, expires_at, suspended_until, $1), balance::text
		from gift_cards where id = $2`, x.s.Store.Clock(), parsed).Scan(&state, &balance))
	return state, balance
}

// code returns the security code of a card.
func (x shop) code(card cardInShop) string {
	x.t.Helper()
	parsed, err := id.Parse(card.id)
	must(x.t, err)
	var sealed []byte
	must(x.t, x.s.Store.Pool().QueryRow(x.t.Context(), "select sealed_code from gift_cards where id = $1", parsed).Scan(&sealed))
	code, err := x.s.Store.OpenCode(parsed, sealed)
	must(x.t, err)
	return code
}

// The lifetimes of the cards in the tests, and how far the clock is moved so that the cards
// with the short one are past their date.
const (
	long, short = 365 * 24 * time.Hour, time.Hour
	pastShort   = short + time.Minute
)

// ways are the states of a card, and how the API brings one there. Cards with the short
// lifetime are past their date in the end.
var ways = []struct {
	name, state string
	bring       func(x shop) cardInShop
}{
	{"pending", "pending", func(x shop) cardInShop { return x.issue(long) }},
	{"active", "active", func(x shop) cardInShop { return x.active(long) }},
	{"suspended", "suspended", func(x shop) cardInShop { return x.suspended(x.active(long)) }},
	{"suspended before activation", "suspended", func(x shop) cardInShop { return x.suspended(x.issue(long)) }},
	{"expired", "expired", func(x shop) cardInShop { return x.active(short) }},
	{"expired before activation", "expired", func(x shop) cardInShop { return x.issue(short) }},
	{"expired while suspended", "expired", func(x shop) cardInShop { return x.suspended(x.active(short)) }},
	{"voided", "voided", func(x shop) cardInShop { return x.voided(x.active(long)) }},
	{"voided before its date", "voided", func(x shop) cardInShop { return x.voided(x.active(short)) }},
	{"depleted", "depleted", func(x shop) cardInShop { return x.depleted(x.active(long)) }},
	{"depleted before its date", "depleted", func(x shop) cardInShop { return x.depleted(x.active(short)) }},
}

func (x shop) suspended(card cardInShop) cardInShop {
	x.done(card, "/suspend", `{"reason":"stolen"}`)
	return card
}

func (x shop) voided(card cardInShop) cardInShop {
	x.done(card, "/void", `{}`)
	return card
}

func (x shop) depleted(card cardInShop) cardInShop {
	x.redeem(card, "20")
	return card
}

// passTime moves the clock until the cards with the short lifetime are past their date, and
// logs the user in again.
func (x shop) passTime() {
	x.s.Clock.Move(pastShort)
	x.m.Token = x.s.Login(x.m.Email, x.m.Password)
}

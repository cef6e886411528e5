package server_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server"
)

// TestAResentCodeReplacesTheOldOne. The body is optional, and the card gets the recipient in it.
func TestAResentCodeReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	card := x.issue("25", `,"customerEmail":"ada@example.com","customerName":"Ada"`)
	for i, c := range []struct{ body, holder, messages string }{
		{"", `"customerEmail":"ada@example.com","customerPhone":null,"customerName":"Ada"`, "email card 0 scheduled ada@example.com"},
		{"null", `"customerEmail":"ada@example.com"`, "email card 0 scheduled ada@example.com"},
		{`{"customerEmail":null,"customerPhone":"+44 20 7946 0018","customerName":"Ada\u0000 L."}`, `"customerPhone":"+442079460018"`, ""},
		{`{"customerEmail":"grace@EXAMPLE.net"}`, `"customerEmail":"grace@example.net"`, ""},
	} {
		before := x.code(card.id)
		answer := x.ask(card, "/resend-code", "", c.body)
		x.want(answer, 200, c.holder)
		if c.messages != "" {
			x.is("messages", x.messages(card), c.messages)
		}
		if after := x.code(card.id); after == before || strings.Contains(string(answer.Body), after) {
			t.Errorf("%s: the code is %s, was %s, and the answer %s", c.body, after, before, answer.Body)
		}
		x.is("entries", x.entries(card), strings.TrimSuffix(strings.Repeat("RESEND_CODE 0 0\n", i+1), "\n"))
	}
	x.is("holder", strings.Join(x.query(card, "select concat_ws(' ', customer_email, customer_name) from gift_cards where id = $1"), ""), "grace@example.net Ada  L.")
	x.is("messages", x.messages(card), "email card 0 scheduled grace@example.net\nsms card 3 scheduled +442079460018")
	if n := len(x.query(card, "select operation from audit_log where subject = $1 and operation = 'resendGiftCardSecurityCode'")); n != 4 {
		t.Errorf("%d lines in the audit log", n)
	}
}

// TestACardWithoutARecipientIsNotSent unless the request names a recipient.
func TestACardWithoutARecipientIsNotSent(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	card := x.issue("25")
	const refusal = `{"detail":"Gift card has no recipient"}`
	x.want(x.ask(card, "/resend-code", "", `{"customerName":"Ada"}`), 400, refusal)
	x.want(x.schedule(card, `{"deliverAt":null}`), 400, refusal)
	x.is("messages", x.messages(card)+x.entries(card), "")
	x.want(x.ask(card, "/resend-code", "", `{"customerEmail":"ada@example.com"}`), 200, `"customerEmail":"ada@example.com"`)
	x.is("messages", x.messages(card), "email card 1 scheduled ada@example.com")
}

// TestACodeIsResentFiveTimesAnHour: the sixth request is told when to come back, and succeeds then.
// The limit does not affect other cards or replays.
func TestACodeIsResentFiveTimesAnHour(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t, func(o *server.Options) { o.TokenLifetime = 24 * time.Hour })
	x := shopOn(t, s)
	s.Clock.Stop()
	card, other := x.issue("25", toAda), x.issue("25", toAda)
	for n := range 5 {
		x.want(x.ask(card, "/resend-code", strconv.Itoa(n), ""), 200, `"id"`)
		s.Clock.Move(10 * time.Minute)
	}
	over := x.ask(card, "/resend-code", "", "")
	x.want(over, 429, `{"detail":"Too many requests"}`)
	if got := over.Header.Get("Retry-After"); got != "600" {
		t.Errorf("Retry-After %s, want the 10 minutes until the first is an hour ago", got)
	}
	if replay := x.ask(card, "/resend-code", "0", ""); replay.Status != 200 || replay.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a replay: %d %s", replay.Status, replay.Body)
	}
	x.want(x.ask(other, "/resend-code", "", ""), 200, `"id"`)
	s.Clock.Move(10*time.Minute - time.Microsecond)
	x.want(x.ask(card, "/resend-code", "", ""), 429, "Too many requests")
	s.Clock.Move(time.Microsecond)
	x.want(x.ask(card, "/resend-code", "", ""), 200, `"id"`)
	x.want(x.ask(card, "/resend-code", "", ""), 429, "Too many requests")
}

// TestTwoResendsAtOnceAreTwoCodesAndOneMessage, whether or not the card was sent before.
func TestTwoResendsAtOnceAreTwoCodesAndOneMessage(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	for status, want := range map[string]string{
		"status = 'scheduled'":                                                         "email card 0 scheduled ada@example.com",
		"status = 'sent', sent_at = now(), attempts = 1":                               "email card 0 sent ada@example.com\nemail code 1 scheduled ada@example.com",
		"attempts = 1, unconfirmed = 1, next_attempt_at = now() + interval '1 minute'": "email card 0 dropped ada@example.com\nemail code 1 scheduled ada@example.com",
		"attempts = 1, next_attempt_at = now() + interval '1 hour'":                    "email card 0 dropped ada@example.com\nemail card 1 scheduled ada@example.com",
	} {
		card := x.issue("25", toAda)
		x.exec(card, "update messages set "+status+" where card_id = $1")
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { x.want(x.ask(card, "/resend-code", "", ""), 200, `"id"`) })
		}
		all.Wait()
		x.is("messages of "+status, x.messages(card), want)
		x.is("entries", x.entries(card), "RESEND_CODE 0 0\nRESEND_CODE 0 0")
	}
}

package server_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server"
)

// TestAResentCodeReplacesTheOldOne: the body is optional, and what it gives becomes the card's.
func TestAResentCodeReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	card := d.card(`,"customerEmail":"ada@example.com","customerName":"Ada"`)
	for i, c := range []struct{ body, holder, messages string }{
		{"", `"customerEmail":"ada@example.com","customerPhone":null,"customerName":"Ada"`, "email card 0 scheduled ada@example.com"},
		{"null", `"customerEmail":"ada@example.com"`, "email card 0 scheduled ada@example.com"},
		{`{"customerEmail":null,"customerPhone":"+44 20 7946 0018","customerName":"Ada\u0000 L."}`, `"customerPhone":"+442079460018"`, ""},
		{`{"customerEmail":"grace@EXAMPLE.net"}`, `"customerEmail":"grace@example.net"`, ""},
	} {
		before := d.code(card)
		answer := d.post(card, "resend-code", "", c.body)
		if answer.Status != 200 {
			t.Fatalf("%s: %d %s", c.body, answer.Status, answer.Body)
		}
		d.want(answer, 200, c.holder)
		if c.messages != "" {
			d.is("messages", d.messages(card), c.messages)
		}
		if after := d.code(card); after == before || strings.Contains(string(answer.Body), after) {
			t.Errorf("%s: the code is %s, was %s, and the answer %s", c.body, after, before, answer.Body)
		}
		d.is("entries", d.entries(card), strings.TrimSuffix(strings.Repeat("RESEND_CODE 0 0\n", i+1), "\n"))
	}
	d.is("holder", strings.Join(d.query(card, "select concat_ws(' ', customer_email, customer_name) from gift_cards where id = $1"), ""), "grace@example.net Ada  L.")
	d.is("messages", d.messages(card), "email card 0 scheduled grace@example.net\nsms card 3 scheduled +442079460018")
	if n := len(d.query(card, "select operation from audit_log where subject = $1 and operation = 'resendGiftCardSecurityCode'")); n != 4 {
		t.Errorf("%d lines in the audit log", n)
	}
}

// TestACardWithoutARecipientIsNotSent, unless the request names one.
func TestACardWithoutARecipientIsNotSent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	card := d.card("")
	const refusal = `{"detail":"Gift card has no recipient"}`
	d.want(d.post(card, "resend-code", "", `{"customerName":"Ada"}`), 400, refusal)
	d.want(d.schedule(card, `{"deliverAt":null}`), 400, refusal)
	d.is("messages", d.messages(card)+d.entries(card), "")
	d.want(d.post(card, "resend-code", "", `{"customerEmail":"ada@example.com"}`), 200, `"customerEmail":"ada@example.com"`)
	d.is("messages", d.messages(card), "email card 1 scheduled ada@example.com")
}

// TestACodeIsResentFiveTimesAnHour: the sixth is told when it may come, and may then. Other
// cards are not concerned, and neither are replays.
func TestACodeIsResentFiveTimesAnHour(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t, func(o *server.Options) { o.TokenLifetime = 24 * time.Hour })
	d := newDesk(t, s)
	s.Clock.Stop()
	card, other := d.card(`,"customerEmail":"ada@example.com"`), d.card(`,"customerEmail":"ada@example.com"`)
	for n := range 5 {
		d.want(d.post(card, "resend-code", strconv.Itoa(n), ""), 200, `"id"`)
		s.Clock.Move(10 * time.Minute)
	}
	over := d.post(card, "resend-code", "", "")
	d.want(over, 429, `{"detail":"Too many requests"}`)
	if got := over.Header.Get("Retry-After"); got != "600" {
		t.Errorf("Retry-After %s, want the 10 minutes until the first is an hour ago", got)
	}
	if replay := d.post(card, "resend-code", "0", ""); replay.Status != 200 || replay.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a replay: %d %s", replay.Status, replay.Body)
	}
	d.want(d.post(other, "resend-code", "", ""), 200, `"id"`)
	s.Clock.Move(10*time.Minute - time.Microsecond)
	d.want(d.post(card, "resend-code", "", ""), 429, "Too many requests")
	s.Clock.Move(time.Microsecond)
	d.want(d.post(card, "resend-code", "", ""), 200, `"id"`)
	d.want(d.post(card, "resend-code", "", ""), 429, "Too many requests")
}

// TestTwoResendsAtOnceAreTwoCodesAndOneMessage, whether or not the card was sent before.
func TestTwoResendsAtOnceAreTwoCodesAndOneMessage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	for status, want := range map[string]string{
		"status = 'scheduled'":                                                         "email card 0 scheduled ada@example.com",
		"status = 'sent', sent_at = now(), attempts = 1":                               "email card 0 sent ada@example.com\nemail code 1 scheduled ada@example.com",
		"attempts = 1, unconfirmed = 1, next_attempt_at = now() + interval '1 minute'": "email card 0 dropped ada@example.com\nemail code 1 scheduled ada@example.com",
		"attempts = 1, next_attempt_at = now() + interval '1 hour'":                    "email card 0 dropped ada@example.com\nemail card 1 scheduled ada@example.com",
	} {
		card := d.card(`,"customerEmail":"ada@example.com"`)
		d.exec(card, "update messages set "+status+" where card_id = $1")
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { d.want(d.post(card, "resend-code", "", ""), 200, `"id"`) })
		}
		all.Wait()
		d.is("messages of "+status, d.messages(card), want)
		d.is("entries", d.entries(card), "RESEND_CODE 0 0\nRESEND_CODE 0 0")
	}
}

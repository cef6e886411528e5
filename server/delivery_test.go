package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/storetest/check"
)

const toBob = `{"newOwnerName":"Bob","newOwnerEmail":"bob@example.com"}`

// TestUnderAKeyACardIsSentOnce: a retry gets the first answer, another body is refused, and the
// same key serves another card.
func TestUnderAKeyACardIsSentOnce(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	for path, c := range map[string]struct{ body, other, entry string }{
		"resend-code":        {"", `{"customerName":"Bob"}`, "RESEND_CODE 0 25"},
		"transfer-ownership": {toBob, `{"newOwnerName":"Eve","newOwnerEmail":"bob@example.com"}`, "OWNERSHIP_TRANSFER 0 25"},
	} {
		card, second := x.sell("25", toAda), x.sell("25", toAda)
		first := x.ask(card, "/"+path, "k", c.body)
		code := x.code(card.id)
		again := x.ask(card, "/"+path, "k", c.body)
		if !bytes.Equal(first.Body, again.Body) || again.Header.Get("Idempotent-Replayed") != "true" || x.code(card.id) != code {
			t.Errorf("%s: %d %s, then %d %s", path, first.Status, first.Body, again.Status, again.Body)
		}
		x.want(x.ask(card, "/"+path, "k", c.other), 422, "idempotency-key was used for another request")
		x.want(x.ask(second, "/"+path, "k", c.body), 200, `"id":"`+second.id+`"`)
		x.is("entries", x.entries(card), "ACTIVATION 25 25\n"+c.entry)
	}
}

// TestACardGetsAnotherOwner: a digital card gets a new code, which is sent to the new owner. A
// physical card keeps its code, and nothing is sent. The former owner gets no more messages.
func TestACardGetsAnotherOwner(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	now := time.Now().UTC()
	const recipient = `,"customerEmail":"ada@example.com","customerPhone":"+442079460018","customerName":"Ada","deliverAt":"%s","isPhysical":%t`
	for physical, messages := range map[bool]string{
		false: "email card 0 dropped ada@example.com\nsms card 0 dropped +442079460018\nemail owner 1 scheduled bob@example.com",
		true:  "email card 0 dropped ada@example.com\nsms card 0 dropped +442079460018",
	} {
		card := x.sell("25", expiring(now.AddDate(4, 0, 0)), fmt.Sprintf(recipient, now.AddDate(1, 0, 0).Format(time.RFC3339), physical))
		before := x.code(card.id)
		x.want(x.ask(card, "/transfer-ownership", "", `{"newOwnerName":"<b>Bob</b>\u0007","newOwnerEmail":"bob@EXAMPLE.com"}`), 200,
			`"customerName":"Bob`, `"customerEmail":"bob@example.com"`, `"customerPhone":null`, `"customerId":null`, `"deliverAt":null`, `"balance":"25.00"`)
		x.is("messages", x.messages(card), messages)
		x.is("entries", x.entries(card), "ACTIVATION 25 25\nOWNERSHIP_TRANSFER 0 25")
		if changed := x.code(card.id) != before; changed == physical {
			t.Errorf("physical %v, and the code changes: %v", physical, changed)
		}
	}
}

// TestAnInvalidNewOwnerIsRefused in every state of the card: a name that is only markup, and every
// customer id, because the server has no customers yet.
func TestAnInvalidNewOwnerIsRefused(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	card := x.issue("25")
	for _, name := range []string{"<b></b>", `\u0000`, "", " <i> </i> "} {
		answer := x.ask(card, "/transfer-ownership", "", `{"newOwnerName":"`+name+`","newOwnerEmail":"bob@example.com"}`)
		x.want(answer, 422, `"type":"string_too_short","loc":["body","newOwnerName"],"msg":"String should have at least 1 character"`)
	}
	x.want(x.ask(card, "/transfer-ownership", "", `{"newOwnerName":"Bob","newOwnerEmail":"bob@example.com","newOwnerCustomerId":"5eb7cf5a86d9755df3a6c594"}`), 404, `{"detail":"Customer not found"}`)
	x.want(x.ask(nowhere, "/transfer-ownership", "", toBob), 404, `{"detail":"Gift card not found"}`)
}

// TestAResentCardIsInTheOutbox: the worker writes the message with the new code, another
// Message-ID and the corrected address.
func TestAResentCardIsInTheOutbox(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	card := x.sell("25", `,"customerEmail":"ada@example.com","customerName":"Ada","senderName":"Grace"`)
	mail := func(has ...string) (text string) {
		t.Helper()
		check.Until(t, fmt.Sprintf("a mail that has %q", has), func() bool {
			read, _ := os.ReadFile(filepath.Join(x.s.Outbox, card.id+".eml"))
			text = string(read)
			return !slices.ContainsFunc(has, func(part string) bool { return !strings.Contains(text, part) })
		})
		return text
	}
	mail("To: <ada@example.com>", "Message-ID: <"+card.id+"@example.com>", "Grace sent you a gift card")
	x.want(x.ask(card, "/resend-code", "", `{"customerEmail":"ada@example.net"}`), 200, `"delivered":false`)
	mail("To: <ada@example.net>", "Message-ID: <"+card.id+".1@example.com>", "Subject: New security code for your gift card", x.code(card.id))
	x.want(x.ask(card, "/transfer-ownership", "", toBob), 200, `"customerEmail":"bob@example.com"`)
	if text := mail("To: <bob@example.com>", "Message-ID: <"+card.id+".2@example.com>", "Subject: A gift card from Test merchant is yours now", x.code(card.id)); strings.Contains(text, "Grace") {
		t.Errorf("the new owner reads of the sender: %s", text)
	}
}

// TestDroppingAUsersMessagesDropsThoseThatTheUserResent, and none that another user resent.
func TestDroppingAUsersMessagesDropsThoseThatTheUserResent(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t)
	i := newIssuer(t, s, s.Merchant())
	i.drop(store.MessageFilter{User: i.id})
	answer := i.merchant.Do(http.MethodPost, i.merchant.Cards()+"/"+i.alone+"/resend-code", http.Header{"Authorization": {i.bearer}}, nil)
	if answer.Status != 200 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	other := newIssuer(t, s, i.merchant)
	if n := len(other.drop(store.MessageFilter{User: other.id})); n != messagesOfAnIssuer {
		t.Errorf("%d messages of the other user were dropped", n)
	}
	if n := len(i.drop(store.MessageFilter{User: i.id})); n != 1 {
		t.Errorf("%d messages were dropped, want the one that was resent", n)
	}
}

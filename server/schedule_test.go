package server_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestADeliveryIsMoved to a time. null and a past time move it to now.
func TestADeliveryIsMoved(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t)
	x := shopOn(t, s)
	s.Clock.Stop()
	now := s.Store.Clock().UTC().Truncate(time.Second)
	at := func(by time.Duration) string { return now.Add(by).Format(time.RFC3339) }
	for _, c := range []struct {
		first, then string // the times as JSON
		due         time.Duration
	}{
		{`"` + at(48*time.Hour) + `"`, `"` + at(72*time.Hour) + `"`, 72 * time.Hour},
		{`"` + at(48*time.Hour) + `"`, `"` + at(time.Hour) + `"`, time.Hour},
		{`"` + at(48*time.Hour) + `"`, "null", 0},
		{`"` + at(48*time.Hour) + `"`, `"` + at(-time.Hour) + `"`, 0},
		{"null", `"` + at(72*time.Hour) + `"`, 72 * time.Hour},
	} {
		card := x.issue("25", to("ada@example.com", "+442079460018"), `,"deliverAt":`+c.first)
		answer := x.schedule(card, `{"deliverAt":`+c.then+`}`)
		x.want(answer, 200, `"deliverAt":`+c.then, `"delivered":false`)
		for _, due := range x.query(card, "select extract(epoch from next_attempt_at)::bigint::text from messages where card_id = $1 and status = 'scheduled' and sequence = 0 and next_attempt_at = send_at") {
			if due != strconv.FormatInt(now.Add(c.due).Unix(), 10) && (c.due != 0 || due < strconv.FormatInt(now.Unix()-1, 10) || due > strconv.FormatInt(now.Unix()+1, 10)) {
				t.Errorf("from %s to %s: due at %s, want %d", c.first, c.then, due, now.Add(c.due).Unix())
			}
		}
		if got := x.messages(card); strings.Count(got, "scheduled") != 2 {
			t.Errorf("messages\n%s", got)
		}
		x.is("entries", x.entries(card), "")
	}
}

func TestADeliveryThatCannotBeMovedIsRefused(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	card := x.issue("25", toAda, expiring(time.Now().AddDate(0, 1, 0)))
	late := time.Now().AddDate(0, 2, 0).UTC().Format("2006-01-02") + "T00:00:00Z"
	x.want(x.schedule(card, `{"deliverAt":"`+late+`"}`), 422,
		`{"detail":[{"type":"value_error","loc":["body","deliverAt"],"msg":"Value error, deliverAt must not be after expiresAt","input":"`+late+`","ctx":{"error":{}}}]}`)
	x.want(x.schedule(card, `{}`), 422, `"type":"missing"`)
	x.set(card, "delivered = true")
	x.want(x.schedule(card, `{"deliverAt":"`+late+`"}`), 400, `{"detail":"Gift card has already been delivered"}`)
	x.want(x.schedule(nowhere, `{"deliverAt":null}`), 404, `{"detail":"Gift card not found"}`)
}

// TestAMessageThatWasNotSentGetsItsTimeAgain if it has failed, was dropped or was only written to a
// file. A channel that has reached the recipient stays as it is.
func TestAMessageThatWasNotSentGetsItsTimeAgain(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	for _, status := range []string{"failed", "dropped", "written"} {
		card := x.issue("25", to("ada@example.com", "+442079460018"))
		x.exec(card, "update messages set status = '"+status+"', attempts = 1 where card_id = $1 and channel = 'email'")
		x.exec(card, "update messages set attempts = 1 where card_id = $1 and channel = 'sms'")
		x.exec(card, "update messages set status = 'sent', sent_at = now() where card_id = $1 and channel = 'sms'")
		x.want(x.schedule(card, `{"deliverAt":null}`), 200, `"deliverAt":null`)
		got := x.messages(card)
		if !strings.HasSuffix(got, "\nemail card 1 scheduled ada@example.com") || strings.Count(got, "sms card") != 1 || !strings.Contains(got, "email card 0 dropped") {
			t.Errorf("%s: messages\n%s", status, got)
		}
	}
}

package server_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestADeliveryIsMoved: to a time, or to now by null and by a past time.
func TestADeliveryIsMoved(t *testing.T) {
	t.Parallel()
	s := withoutJobs(t)
	d := newDesk(t, s)
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
		card := d.card(`,"customerEmail":"ada@example.com","customerPhone":"+442079460018","deliverAt":` + c.first)
		answer := d.schedule(card, `{"deliverAt":`+c.then+`}`)
		d.want(answer, 200, `"deliverAt":`+c.then, `"delivered":false`)
		for _, due := range d.query(card, "select extract(epoch from next_attempt_at)::bigint::text from messages where card_id = $1 and status = 'scheduled' and sequence = 0 and next_attempt_at = send_at") {
			if due != strconv.FormatInt(now.Add(c.due).Unix(), 10) && (c.due != 0 || due < strconv.FormatInt(now.Unix()-1, 10) || due > strconv.FormatInt(now.Unix()+1, 10)) {
				t.Errorf("from %s to %s: due at %s, want %d", c.first, c.then, due, now.Add(c.due).Unix())
			}
		}
		if got := d.messages(card); strings.Count(got, "scheduled") != 2 {
			t.Errorf("messages\n%s", got)
		}
		d.is("entries", d.entries(card), "")
	}
}

// TestADeliveryThatCannotBeMovedIsRefused.
func TestADeliveryThatCannotBeMovedIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	card := d.card(`,"customerEmail":"ada@example.com","expiresAt":"` + time.Now().AddDate(0, 1, 0).UTC().Format("2006-01-02") + `T00:00:00Z"`)
	late := time.Now().AddDate(0, 2, 0).UTC().Format("2006-01-02") + "T00:00:00Z"
	d.want(d.schedule(card, `{"deliverAt":"`+late+`"}`), 422,
		`{"detail":[{"type":"value_error","loc":["body","deliverAt"],"msg":"Value error, deliverAt must not be after expiresAt","input":"`+late+`","ctx":{"error":{}}}]}`)
	d.want(d.schedule(card, `{}`), 422, `"type":"missing"`)
	d.exec(card, "update gift_cards set delivered = true where id = $1")
	d.want(d.schedule(card, `{"deliverAt":"`+late+`"}`), 400, `{"detail":"Gift card has already been delivered"}`)
	d.want(d.schedule("000000000000000000000001", `{"deliverAt":null}`), 404, `{"detail":"Gift card not found"}`)
}

// TestAMessageThatWasNotSentGetsItsTimeAgain: one that failed, was dropped or is in a file
// alone. A channel that has reached the recipient stays.
func TestAMessageThatWasNotSentGetsItsTimeAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, withoutJobs(t))
	for _, status := range []string{"failed", "dropped", "written"} {
		card := d.card(`,"customerEmail":"ada@example.com","customerPhone":"+442079460018"`)
		d.exec(card, "update messages set status = '"+status+"', attempts = 1 where card_id = $1 and channel = 'email'")
		d.exec(card, "update messages set attempts = 1 where card_id = $1 and channel = 'sms'")
		d.exec(card, "update messages set status = 'sent', sent_at = now() where card_id = $1 and channel = 'sms'")
		d.want(d.schedule(card, `{"deliverAt":null}`), 200, `"deliverAt":null`)
		got := d.messages(card)
		if !strings.HasSuffix(got, "\nemail card 1 scheduled ada@example.com") || strings.Count(got, "sms card") != 1 || !strings.Contains(got, "email card 0 dropped") {
			t.Errorf("%s: messages\n%s", status, got)
		}
	}
}

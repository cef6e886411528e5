package jobs_test

import (
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/storetest/full"
	"giftcards/store/text"
)

func TestBothChannelsAreUsedAndTheCardIsThenDelivered(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.texts.set(503)
	p.run(1000)
	card := p.issue(withPhone)
	p.reach(store.MessageSent, 1)
	p.eventually("a deferred text message", func() bool { return p.count(t, "messages where last_error is not null") == 1 })
	if p.delivered() != 0 {
		t.Error("delivered while the text message is not")
	}
	p.texts.set(0)
	p.clock.Move(time.Minute)
	p.reach(store.MessageSent, 2)
	if p.delivered() != 1 {
		t.Error("not delivered")
	}
	raw := string(p.mails.Mails()[0].Raw)
	if !strings.Contains(raw, p.code(card)) || !strings.Contains(p.texts.bodies[0], p.code(card)) {
		t.Error("a message lacks the card's code")
	}
}

// TestTwoChannelsAtOnceDeliver: the record of the second channel sees that of the first.
func TestTwoChannelsAtOnceDeliver(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	for range 30 {
		p.issue(withPhone)
	}
	p.reach(store.MessageSent, 60)
	if n := p.delivered(); n != 30 {
		t.Errorf("%d of 30 delivered", n)
	}
}

func TestAMessageIsSentAtItsTimeAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	stop := p.run(1000)
	later := p.Clock().Add(time.Hour)
	past := p.Clock().Add(-time.Hour)
	p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &later })
	p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &past }) // a past deliverAt means now
	p.reach(store.MessageSent, 1)
	stop()
	p.run(1000)
	p.clock.Move(time.Hour - 10*time.Second)
	time.Sleep(200 * time.Millisecond) // enough for ten looks
	if n := len(p.messages(store.MessageSent)); n != 1 {
		t.Fatalf("%d messages sent before their time", n-1)
	}
	p.clock.Move(10 * time.Second)
	sent := p.reach(store.MessageSent, 2)
	if late := sent[0].SentAt.Sub(later); late < 0 || late > time.Minute {
		t.Errorf("sent %s after its time", late)
	}
}

func TestMessagesOfCardsThatCannotBeUsedAreDropped(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	later := p.Clock().Add(time.Hour)
	deferred := func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &later }
	reasons := map[string]string{}
	voided := p.issue(deferred)
	p.exec(t, "update gift_cards set status = 'voided' where id = $1", voided.ID)
	reasons[voided.ID.String()] = "the card is voided"
	expired := p.issue(deferred)
	p.exec(t, "update gift_cards set expires_at = $1 where id = $2", later.Add(-time.Minute), expired.ID)
	reasons[expired.ID.String()] = "the card expired"
	active := p.issue(deferred)
	p.changed(active, func(_ *store.Tx, card *store.Card) error { return card.Activate(nil, nil) })
	p.run(1000)
	p.clock.Move(time.Hour)
	for _, m := range p.reach(store.MessageDropped, 2) {
		if want := reasons[m.CardID.String()]; m.LastError == nil || *m.LastError != want {
			t.Errorf("dropped because of %v, want %s", m.LastError, want)
		}
	}
	if sent := p.reach(store.MessageSent, 1); sent[0].CardID != active.ID || len(p.mails.Mails()) != 1 {
		t.Errorf("sent %v", sent)
	}
}

// TestATaskDoesNotDelayASingleCard although a thousand messages of a task wait and the rate is two a
// second.
func TestATaskDoesNotDelayASingleCard(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(2)
	email := "bulk@example.com"
	p.issueTask(t, slices.Repeat([]store.Recipient{{Email: &email}}, 1000))
	p.eventually("the task's first mails", func() bool { return len(p.mails.Mails()) >= 2 })
	p.issue()
	before := len(p.mails.Mails())
	p.eventually("the single card's mail", func() bool {
		return slices.ContainsFunc(p.mails.Mails(), func(m smtptest.Mail) bool { return m.To == "ada@example.com" })
	})
	at := slices.IndexFunc(p.mails.Mails(), func(m smtptest.Mail) bool { return m.To == "ada@example.com" })
	if at > before+50 { // some pass on a slow machine; a common queue would send all thousand first
		t.Errorf("%d mails of the task went before", at-before)
	}
}

// TestProgramsTakeTurns: ten messages of a program do not wait for hundreds of older messages of
// another program.
func TestProgramsTakeTurns(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	older := full.Size(1000, 300)
	first, second := "first@example.com", "second@example.com"
	p.issueTask(t, slices.Repeat([]store.Recipient{{Email: &first}}, older))
	p.another(t).issueTask(t, slices.Repeat([]store.Recipient{{Email: &second}}, 10))
	p.run(1000)
	p.reach(store.MessageScheduled, 0)
	sent := map[string]int{}
	for n, m := range p.mails.Mails() {
		if sent[m.To]++; m.To == second && n > 200 { // programs take turns; some more pass on a slow machine
			t.Fatalf("the %dth mail of the second program is the %dth of all", sent[m.To], n)
		}
	}
	if sent[first] != older || sent[second] != 10 {
		t.Errorf("sent %v", sent)
	}
}

// TestTheTextOfASenderArrivesAsPlainWords through the store, the templates and SMTP.
func TestTheTextOfASenderArrivesAsPlainWords(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	for name, c := range map[string]struct{ sender, note, subject string }{
		"line breaks": {
			"Grace\r\nBcc: b@example.com\r\n\r\n<b>", "x\r\n.\r\nMAIL FROM:<b@example.com>",
			"Grace Bcc: b@ example. com <b> sent you a gift card from Blackwood Books",
		},
		"right to left": {"\u202eשירה\u2069", "\u202emoc.elpmaxe", "\u2068שירה\u2069 sent you a gift card from Blackwood Books"},
		"255 emoji":     {strings.Repeat("🎁", 255), strings.Repeat("é", 500), strings.Repeat("🎁", 59) + "… sent you a gift card from Blackwood Books"},
	} {
		card := p.issue(func(_ *store.Terms, r *store.Recipient) {
			r.Sender, r.Message = (*text.Clean)(&c.sender), (*text.Clean)(&c.note)
		})
		var got smtptest.Mail
		p.eventually("the mail of "+name, func() bool {
			mails := p.mails.Mails()
			at := slices.IndexFunc(mails, func(m smtptest.Mail) bool { return m.ID == "<"+card.ID.String()+"@example.com>" })
			if at >= 0 {
				got = mails[at]
			}
			return at >= 0
		})
		if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || subject != c.subject {
			t.Errorf("%s: subject %q (%v), want %q", name, subject, err, c.subject)
		}
		// No typed text may add a header.
		if len(got.Header) != 8 || got.Header.Get("Bcc") != "" {
			t.Errorf("%s: headers %v", name, got.Header)
		}
		for line := range strings.Lines(string(got.Raw)) {
			if len(line) > 80 { // RFC 5322 recommends 78 and the end of the line
				t.Errorf("%s: a line of %d bytes: %s", name, len(line), line)
			}
		}
		related := multipart.NewReader(got.Body, boundary(t, got.Header.Get("Content-Type")))
		words, err := related.NextPart()
		must(t, err)
		parts := multipart.NewReader(words, boundary(t, words.Header.Get("Content-Type")))
		for _, want := range []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"} {
			part, err := parts.NextPart()
			must(t, err)
			text, err := io.ReadAll(part)
			must(t, err)
			if kind := part.Header.Get("Content-Type"); kind != want || !strings.Contains(string(text), p.code(card)) {
				t.Errorf("%s: a part of %s without the code", name, kind)
			}
		}
		if _, err := parts.NextPart(); err == nil {
			t.Errorf("%s: one part too many", name)
		}
		if picture, err := related.NextPart(); err != nil || !strings.HasPrefix(picture.Header.Get("Content-Type"), "image/png") {
			t.Errorf("%s: no image of the number (%v)", name, err)
		}
	}
}

func boundary(t *testing.T, contentType string) string {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(contentType)
	must(t, err)
	return parameters["boundary"]
}

package jobs_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/jobs/message"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

func TestAMessageRefusedPermanentlyIsListedAndRetried(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error { return smtptest.Refuse(550, "no such user") }})
	p.run(1000)
	card, other := p.issue(), p.issue()
	failed := p.reach(store.MessageFailed, 2)
	if failed[0].LastError == nil || !strings.Contains(*failed[0].LastError, "550") || failed[0].Attempts != 1 {
		t.Errorf("listed as %+v", failed[0])
	}
	p.mails.Set(smtptest.Hooks{})
	retry := func(cards ...store.GiftCard) int {
		retried, err := store.Write(t.Context(), p.Store, func(tx *store.Tx) ([]id.ID, error) {
			ids := slices.Collect(func(yield func(id.ID) bool) {
				for _, c := range cards {
					yield(c.ID)
				}
			})
			return tx.RetryMessages(t.Context(), ids, store.RetryFailed)
		})
		must(t, err)
		return len(retried)
	}
	if n := retry(card); n != 1 {
		t.Errorf("%d retried", n)
	}
	p.reach(store.MessageSent, 1)
	if n := retry(); n != 1 {
		t.Errorf("%d retried", n)
	}
	p.reach(store.MessageSent, 2)
	if n := retry(card, other); n != 0 || p.delivered() != 2 {
		t.Errorf("%d retried after all were sent, %d delivered", n, p.delivered())
	}
}

// TestATemporaryRefusalIsRetriedForADay, and then the message fails.
func TestATemporaryRefusalIsRetriedForADay(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	tries := 0
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error {
		mutex.Lock()
		defer mutex.Unlock()
		tries++
		return smtptest.Refuse(451, "greylisted")
	}})
	p.run(1000)
	p.issue()
	var last store.Message
	var waited time.Duration
	for len(p.messages(store.MessageFailed)) == 0 {
		p.eventually("another attempt", func() bool {
			rows := append(p.messages(store.MessageScheduled), p.messages(store.MessageFailed)...)
			ended := rows[0].Attempts > last.Attempts && rows[0].LastError != nil && (rows[0].Unconfirmed == 0 || rows[0].Status == store.MessageFailed)
			if ended {
				last = rows[0]
			}
			return ended
		})
		pause := last.NextAttemptAt.Sub(p.Clock())
		if last.Status == store.MessageScheduled && (pause < 10*time.Second || pause > 30*time.Minute) {
			t.Fatalf("a pause of %s after %d attempts", pause, last.Attempts)
		}
		p.clock.Move(pause + time.Millisecond)
		waited += pause
	}
	if waited < 23*time.Hour || waited > 25*time.Hour || last.Attempts < 20 || last.Attempts > 80 {
		t.Errorf("given up after %s and %d attempts", waited, last.Attempts)
	}
}

// TestAMailWithoutAnAnswerIsRepeatedOnce, with the same Message-ID and code. Then it is listed as
// failed.
func TestAMailWithoutAnAnswerIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Data: func(smtptest.Mail) error { return smtptest.ErrHangUp }})
	p.run(1000)
	card := p.issue()
	p.eventually("a first attempt", func() bool { return p.count(t, "messages where last_error is not null") == 1 })
	p.clock.Move(time.Hour)
	failed := p.reach(store.MessageFailed, 1)
	p.clock.Move(48 * time.Hour)
	time.Sleep(200 * time.Millisecond) // enough for ten looks
	mails := p.mails.Mails()
	if len(mails) != 2 || mails[0].ID != mails[1].ID || mails[0].ID != "<"+card.ID.String()+"@example.com>" {
		t.Fatalf("%d mails: %v", len(mails), mails)
	}
	for _, m := range mails {
		if !strings.Contains(string(m.Raw), p.code(card)) {
			t.Error("a mail without the card's code")
		}
	}
	if failed[0].Unconfirmed != 2 {
		t.Errorf("listed as %+v", failed[0])
	}
}

// TestACrashRepeatsAMessageOnce: a crash leaves a claim without a recorded outcome.
func TestACrashRepeatsAMessageOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	once, twice := p.issue(), p.issue()
	p.exec(t, "update messages set attempts = 1, unconfirmed = 1 where card_id = $1", once.ID)
	p.exec(t, "update messages set attempts = 2, unconfirmed = 2 where card_id = $1", twice.ID)
	p.run(1000)
	if sent := p.reach(store.MessageSent, 1); sent[0].CardID != once.ID {
		t.Error("the message that was handed over twice was sent again")
	}
	p.reach(store.MessageFailed, 1)
	if n := len(p.mails.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestAMessageWithoutACardBlocksNoOther, although it is the oldest due message.
func TestAMessageWithoutACardBlocksNoOther(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.exec(t, "delete from gift_cards where id = $1", p.issue().ID)
	p.issue()
	p.run(1000)
	p.reach(store.MessageSent, 1)
	p.reach(store.MessageFailed, 1)
}

// TestAStalledServerHoldsUpNoOtherChannel. Its mails are due again as soon as the program has
// stopped.
func TestAStalledServerHoldsUpNoOtherChannel(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error { <-t.Context().Done(); return errors.New("over") }})
	stop := p.run(1000)
	for range 20 {
		p.issue(withPhone)
	}
	p.reach(store.MessageSent, 20)
	stop()
	if n := p.count(t, "messages where channel = 'email' and status = 'scheduled' and unconfirmed = 0 and attempts = 0 and next_attempt_at <= now()"); n != 20 {
		t.Errorf("%d of 20 mails are due again", n)
	}
}

// TestTheLogOfDeliveryHasNoSecrets, although a mail server's answers repeat the message.
func TestTheLogOfDeliveryHasNoSecrets(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{
		Recipient: func(to string) error { return smtptest.Refuse(550, "<"+to+"> is unknown") },
	})
	p.texts.set(400)
	p.run(1000)
	name, note := "Grace Hopper", "Happy nanoseconds"
	card := p.issue(withPhone, func(_ *store.Terms, r *store.Recipient) {
		r.Sender, r.Message = (*text.Clean)(&name), (*text.Clean)(&note)
	})
	failed := p.reach(store.MessageFailed, 2)
	number := store.FormatNumber(card.CardNumber)
	if log := p.log.String(); !strings.Contains(log, card.ID.String()) {
		t.Errorf("the log does not name the card:\n%s", log)
	}
	for _, secret := range []string{"ada@example.com", "442079460018", name, note, number, message.Group(number), p.code(card)} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, m := range failed {
		for _, secret := range []string{number, message.Group(number), p.code(card)} {
			if strings.Contains(*m.LastError, secret) {
				t.Errorf("the reason of %s has %q", m.Channel, secret)
			}
		}
	}
}

// TestARecordThatTheDatabaseRefusesIsRetried until it succeeds. Nothing is sent twice.
func TestARecordThatTheDatabaseRefusesIsRetried(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.refuseRecords()
	p.run(1000)
	p.issue()
	p.eventually("the mail", func() bool { return len(p.mails.Mails()) == 1 })
	p.exec(t, `drop trigger refuse on messages`)
	p.reach(store.MessageSent, 1)
	if n := len(p.mails.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestARecordIsGivenUpWhenTheClaimIsOver, because another worker may then claim the
// message.
func TestARecordIsGivenUpWhenTheClaimIsOver(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.refuseRecords()
	p.run(1000)
	p.issue()
	p.eventually("the mail", func() bool { return len(p.mails.Mails()) == 1 })
	p.exec(t, `update messages set next_attempt_at = next_attempt_at + interval '1 day'`) // so that no other worker claims it
	p.clock.Move(store.MessageLease)
	p.eventually("the record given up", func() bool { return strings.Contains(p.log.String(), "delivering failed") })
}

// refuseRecords makes the database refuse to record that a message was sent.
func (p *post) refuseRecords() {
	p.t.Helper()
	p.exec(p.t, `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$`)
	p.exec(p.t, `create trigger refuse before update on messages for each row when (new.status = 'sent') execute function refuse()`)
}

package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
)

// TestACopyOfTheDatabaseSendsNothingUntilAnOperatorLetsIt. Then it sends without a restart.
func TestACopyOfTheDatabaseSendsNothingUntilAnOperatorLetsIt(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	stop := p.run(1000)
	p.issue()
	p.reach(store.MessageSent, 1)
	stop()
	p.exec(t, "update message_origins set database_oid = database_oid + 1") // the state after pg_restore
	p.issue(withPhone)
	p.run(1000)
	p.eventually("word of it", func() bool { return strings.Contains(p.log.String(), "giftcards messages resume") })
	time.Sleep(200 * time.Millisecond) // enough for ten looks
	if n := len(p.mails.Mails()); n != 1 || len(p.messages(store.MessageScheduled)) != 2 {
		t.Errorf("%d mails were sent, one of them by the original; scheduled: %v", n, p.messages(store.MessageScheduled))
	}
	err := store.Do(t.Context(), p.Store, func(tx *store.Tx) error { return tx.ResumeMessages(t.Context()) })
	must(t, err)
	p.reach(store.MessageSent, 3)
	if n := strings.Count(p.log.String(), "giftcards messages resume"); n != 1 {
		t.Errorf("the log says %d times that nothing is sent", n)
	}
}

// TestAMessageThatIsWrittenToAFileIsNotSent, and can be sent later.
func TestAMessageThatIsWrittenToAFileIsNotSent(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	outbox := t.TempDir()
	stop := p.run(1000, func(d *jobs.Delivery) {
		d.Mail.Sender, d.SMS.Sender = transport.NewMailOutbox(outbox, "cards@example.com"), transport.NewSMSOutbox(outbox)
	})
	card := p.issue(withPhone)
	p.reach(store.MessageWritten, 2)
	for _, name := range []string{".eml", ".sms.txt"} {
		if _, err := os.Stat(filepath.Join(outbox, card.ID.String()+name)); err != nil {
			t.Error(err)
		}
	}
	if p.delivered() != 0 {
		t.Error("a file delivers the card")
	}
	stop()
	err := store.Do(t.Context(), p.Store, func(tx *store.Tx) error {
		_, err := tx.RetryMessages(t.Context(), nil, store.RetryWritten)
		return err
	})
	must(t, err)
	p.run(1000)
	p.reach(store.MessageSent, 2)
	if p.delivered() != 1 || len(p.mails.Mails()) != 1 {
		t.Errorf("%d delivered, mails %v", p.delivered(), p.mails.Mails())
	}
}

// TestAFaultOfTheSettingsIsLoggedWithItsCauseAndOnceAMinute, not once for each message.
func TestAFaultOfTheSettingsIsLoggedWithItsCauseAndOnceAMinute(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.texts.set(401)
	p.clock.Stop()
	// Mail fails by the server's certificate, and text messages by the account's token.
	p.run(1000, func(d *jobs.Delivery) {
		untrusted, err := transport.NewSMTP(transport.SMTPOptions{
			Address: p.mails.Address, Security: transport.STARTTLS, Username: smtptest.User, Password: smtptest.Password, From: "cards@example.com", Timeout: 5 * time.Second,
		})
		must(t, err)
		d.Mail.Sender = untrusted
	})
	const cards = 20
	for range cards {
		p.issue(withPhone)
	}
	tried := func(attempts int) func() bool {
		return func() bool {
			n := 0
			for _, m := range p.messages(store.MessageScheduled) {
				if m.LastError != nil && int(m.Attempts) >= attempts && m.NextAttemptAt.After(p.Clock()) && m.Unconfirmed == 0 {
					n++
				}
			}
			return n == 2*cards
		}
	}
	lines := func(words string) (n int) {
		for line := range strings.Lines(p.log.String()) {
			if strings.Contains(line, "messages cannot be handed over") && strings.Contains(line, words) {
				n++
			}
		}
		return n
	}
	p.eventually("an attempt at each", tried(1))
	if lines("certificate signed by unknown authority") != 1 || lines(`"code":401`) != 1 || lines("") != 2 || strings.Contains(p.log.String(), "message not delivered") {
		t.Errorf("the log of %d attempts:\n%s", 2*cards, p.log)
	}
	// The second line of a cause counts all attempts since the first one.
	p.clock.Move(time.Minute)
	p.eventually("another attempt at each", tried(2))
	if lines("certificate signed by unknown authority") != 2 || lines(`"attempts":20`) != 2 || lines("") != 4 {
		t.Errorf("the log of %d attempts, a minute later:\n%s", 4*cards, p.log)
	}
	for _, secret := range []string{"ada@example.com", "442079460018", smtptest.Password} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestTheDatesInAMessageAreInTheProgramsZone(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.exec(t, "update programs set time_zone = 'Pacific/Kiritimati'")
	p.run(1000)
	expires := time.Date(p.Clock().Year()+1, 12, 31, 10, 0, 0, 0, time.UTC) // midnight in the program's zone
	p.issue(withPhone, func(terms *store.Terms, _ *store.Recipient) { terms.ExpiresAt = &expires })
	p.reach(store.MessageSent, 2)
	want := "Valid until " + expires.Format("2 January 2006")
	if !strings.Contains(p.texts.bodies[0], want) || !strings.Contains(string(p.mails.Mails()[0].Raw), expires.Format("    2 January 2006")) {
		t.Errorf("want %s:\n%s\n%s", want, p.texts.bodies[0], p.mails.Mails()[0].Raw)
	}
}

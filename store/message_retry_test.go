package store_test

import (
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

func (f fixture) readdress(t *testing.T, card id.ID, channel, address string, again bool) error {
	t.Helper()
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		return tx.Readdress(t.Context(), card, channel, address, again)
	})
	return err
}

func (f fixture) retry(t *testing.T, which store.Retry, cards ...id.ID) []id.ID {
	t.Helper()
	return write(t, f.Store, func(tx *store.Tx) ([]id.ID, error) { return tx.RetryMessages(t.Context(), cards, which) })
}

// TestAWrittenMessageDeliversNoCardUntilItIsSent: when an operator sends it later, it has its
// first Message-ID, because nobody has received that one yet.
func TestAWrittenMessageDeliversNoCardUntilItIsSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	due := f.claim(t)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordWritten(t.Context(), due) })
	if m := f.message(t); m.Status != store.MessageWritten || m.SentAt != nil || f.count(t, "gift_cards where delivered") != 0 {
		t.Errorf("written: %+v", m)
	}
	if b := write(t, f.Store, func(tx *store.Tx) (store.Backlog, error) { return tx.Backlog(t.Context()) }); b.WrittenMessages != 1 {
		t.Errorf("%d written messages are counted", b.WrittenMessages)
	}
	if got := f.retry(t, store.RetryFailed); len(got) != 0 {
		t.Errorf("a retry of what failed takes %v", got)
	}
	if got := f.retry(t, store.RetryWritten); len(got) != 1 || got[0] != card.ID {
		t.Errorf("retried %v", got)
	}
	due = f.claim(t)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
	if m := f.message(t); m.Status != store.MessageSent || m.Sequence != 0 || f.count(t, "gift_cards where delivered") != 1 {
		t.Errorf("sent: %+v", m)
	}
}

// TestTheSequenceGrowsOnlyWhenAnOperatorSendsASentMessageAgain. It stays when the server tries
// again, and when an operator retries a message that failed or was only written.
func TestTheSequenceGrowsOnlyWhenAnOperatorSendsASentMessageAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status string
		which  store.Retry
		want   int16
	}{
		{store.MessageSent, store.RetrySent, 1},
		{store.MessageWritten, store.RetrySent, 1},
		{store.MessageWritten, store.RetryWritten, 0},
		{store.MessageFailed, store.RetrySent, 0},
		{store.MessageFailed, store.RetryFailed, 0},
	} {
		f := setup(t)
		card := f.addressed(t, nil)
		f.deferred(t, true)
		f.clock.Move(time.Hour)
		due := f.claim(t)
		if due.Attempts != 2 || due.Sequence != 0 {
			t.Errorf("an attempt of its own: %+v", due.Message)
		}
		commit(t, f.Store, func(tx *store.Tx) error {
			switch c.status {
			case store.MessageSent:
				return tx.RecordSent(t.Context(), due)
			case store.MessageWritten:
				return tx.RecordWritten(t.Context(), due)
			}
			return tx.RecordRefused(t.Context(), due, "no")
		})
		f.retry(t, c.which, card.ID)
		if m := f.message(t); m.Status != store.MessageScheduled || m.Sequence != c.want || m.Attempts != 0 {
			t.Errorf("%s, retried: %+v, want sequence %d", c.status, m, c.want)
		}
	}
}

func TestAMendedAddressIsStoredInTheMessageAndTheCard(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	due := f.claim(t)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordRefused(t.Context(), due, "no such user") })
	must(t, f.readdress(t, card.ID, store.ChannelEmail, "ada@example.net", false))
	if m := f.message(t); m.Address != "ada@example.net" || m.Status != store.MessageScheduled || m.Attempts != 0 || m.LastError != nil || m.Sequence != 0 {
		t.Errorf("the message: %+v", m)
	}
	due = f.claim(t)
	if due == nil || *due.Card.CustomerEmail != "ada@example.net" || due.Card.UpdatedAt == nil {
		t.Fatalf("due: %+v", due)
	}
	// The outcome is not recorded yet, and would be that of the old address.
	if err := f.readdress(t, card.ID, store.ChannelEmail, "b@example.net", true); err == nil || !strings.Contains(err.Error(), "is being sent") {
		t.Errorf("a message that is being sent: %v", err)
	}
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
	if err := f.readdress(t, card.ID, store.ChannelEmail, "b@example.net", false); err == nil || !strings.Contains(err.Error(), "--sent") {
		t.Errorf("a message that was sent: %v", err)
	}
	if n := f.count(t, "gift_cards where customer_email = 'ada@example.net'"); n != 1 {
		t.Error("a refused change is made")
	}
	must(t, f.readdress(t, card.ID, store.ChannelEmail, "b@example.net", true))
	if m := f.message(t); m.Address != "b@example.net" || m.Sequence != 1 || m.SentAt != nil {
		t.Errorf("sent to another address, too: %+v", m)
	}
	f.exec(t, "update gift_cards set status = 'voided'")
	f.claim(t)
	if err := f.readdress(t, card.ID, store.ChannelEmail, "c@example.net", true); err == nil || !strings.Contains(err.Error(), "dropped") {
		t.Errorf("a dropped message: %v", err)
	}
	if err := f.readdress(t, id.New(f.Clock()), store.ChannelEmail, "c@example.net", false); err == nil || !strings.Contains(err.Error(), "Gift card not found") {
		t.Errorf("no such card: %v", err)
	}
}

// TestACardWithoutAnAddressGetsItsMessage at the card's time of delivery, when an operator has set
// an address.
func TestACardWithoutAnAddressGetsItsMessage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	terms, later := f.terms(t), f.Clock().Add(time.Hour)
	terms.DeliverAt = &later
	card := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), terms, make([]store.Recipient, 1))
	})[0]
	must(t, f.readdress(t, card.ID, store.ChannelSMS, "+442079460018", false))
	if m := f.message(t); m.Channel != store.ChannelSMS || m.Address != "+442079460018" || !m.NextAttemptAt.Equal(later) {
		t.Errorf("the message: %+v", m)
	}
	must(t, f.readdress(t, card.ID, store.ChannelSMS, "+442079460019", false)) // its time has not come yet
	if m := f.message(t); m.Address != "+442079460019" || !m.NextAttemptAt.Equal(later) {
		t.Errorf("the message: %+v", m)
	}
	if n := f.count(t, "gift_cards where customer_phone = '+442079460019' and customer_email is null"); n != 1 {
		t.Error("the card has another number")
	}
}

// TestACopyOfTheDatabaseOwnsNoMessages until an operator says so. The serving role can check
// this.
func TestACopyOfTheDatabaseOwnsNoMessages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	owns := func(st *store.Store) bool {
		return write(t, st, func(tx *store.Tx) (bool, error) { return tx.OwnsMessages(t.Context()) })
	}
	serving, err := store.Open(t.Context(), storetest.Serving(f.Pool().Config().ConnString()), store.Options{MaxConns: 1})
	must(t, err)
	t.Cleanup(serving.Close)
	if !owns(serving) || !owns(f.Store) {
		t.Fatal("the first database does not own its messages")
	}
	for part, change := range map[string]string{"cluster": "system = system + 1", "database": "database_oid = database_oid + 1"} {
		f.exec(t, "update message_origins set "+change)
		if owns(serving) || owns(f.Store) {
			t.Errorf("a copy in another %s owns messages", part)
		}
		commit(t, f.Store, func(tx *store.Tx) error { return tx.ResumeMessages(t.Context()) })
		if !owns(f.Store) {
			t.Errorf("a copy in another %s owns no messages though it was told to", part)
		}
	}
}

func TestAProgramsZoneMustExist(t *testing.T) {
	t.Parallel()
	f := setup(t)
	set := func(program id.ID, zone string) (store.Program, error) {
		return store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.Program, error) { return tx.SetProgramZone(t.Context(), program, zone) })
	}
	f.addressed(t, nil)
	if due := f.claim(t); due.Program.TimeZone != "UTC" {
		t.Errorf("without a setting the zone is %s", due.Program.TimeZone)
	}
	for _, zone := range []string{"", "Local", "Europe/Nowhere", "../etc/passwd", "+01:00"} {
		if _, err := set(f.program, zone); err == nil || !strings.Contains(err.Error(), "IANA") {
			t.Errorf("%q: %v", zone, err)
		}
	}
	if _, err := set(id.New(f.Clock()), "Europe/Paris"); err == nil || !strings.Contains(err.Error(), "Program not found") {
		t.Errorf("no such program: %v", err)
	}
	if p, err := set(f.program, "Asia/Kathmandu"); err != nil || p.TimeZone != "Asia/Kathmandu" {
		t.Errorf("%+v: %v", p, err)
	}
	f.addressed(t, nil)
	if due := f.claim(t); due.Program.TimeZone != "Asia/Kathmandu" {
		t.Errorf("the zone is %s", due.Program.TimeZone)
	}
}

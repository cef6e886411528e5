package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// changed locks the card, lets do change it, and saves it.
func (f fixture) changed(t *testing.T, card id.ID, do func(*store.Tx, *store.Card) error) {
	t.Helper()
	commit(t, f.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(t.Context(), f.program, card)
		if err != nil {
			return err
		}
		if err := do(tx, locked); err != nil {
			return err
		}
		return tx.SaveCards(t.Context(), locked)
	})
}

func (f fixture) resend(t *testing.T, card id.ID, to store.Recipient) {
	t.Helper()
	f.changed(t, card, func(tx *store.Tx, c *store.Card) error { return tx.ResendCode(t.Context(), c, to) })
}

func (f fixture) activate(t *testing.T, card id.ID) {
	t.Helper()
	f.changed(t, card, func(_ *store.Tx, c *store.Card) error { return c.Activate(nil, nil) })
}

func (f fixture) recordSent(t *testing.T, due *store.Due) {
	t.Helper()
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
}

// TestTheOutcomeOfAnOldMessageDoesNotCountForTheNewOne: the code is resent while the first message
// is being sent. The mail server's answer to the first message changes nothing.
func TestTheOutcomeOfAnOldMessageDoesNotCountForTheNewOne(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]func(context.Context, *store.Tx, *store.Due) error{
		"sent":     func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.RecordSent(ctx, due) },
		"written":  func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.RecordWritten(ctx, due) },
		"released": func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.ReleaseMessage(ctx, due) },
		"refused": func(ctx context.Context, tx *store.Tx, due *store.Due) error {
			return tx.RecordRefused(ctx, due, "no")
		},
		"deferred": func(ctx context.Context, tx *store.Tx, due *store.Due) error {
			return tx.RecordDeferred(ctx, due, "later", true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			card := f.addressed(t, nil)
			old := f.claim(t)
			to := "ada@example.net"
			f.resend(t, card.ID, store.Recipient{Email: &to})
			commit(t, f.Store, func(tx *store.Tx) error { return outcome(t.Context(), tx, old) })
			if n := f.count(t, "messages where status = 'dropped' and sequence = 0 and last_error like '%it may have arrived'"); n != 1 {
				t.Error("the first message is not dropped as one that may have arrived")
			}
			if f.count(t, "gift_cards where delivered") != 0 {
				t.Error("the first message delivers the card")
			}
			due := f.claim(t)
			if due == nil || due.Sequence != 1 || due.Kind != store.MessageCode || due.Address != to {
				t.Fatalf("due is %+v", due)
			}
			was, err := f.OpenCode(card.ID, old.Card.SealedCode)
			must(t, err)
			if is, err := f.OpenCode(card.ID, due.Card.SealedCode); err != nil || is == was {
				t.Errorf("the code is %s again (%v)", is, err)
			}
			f.recordSent(t, due)
			if f.count(t, "gift_cards where delivered") != 1 {
				t.Error("the new message does not deliver the card")
			}
			f.clock.Move(time.Hour)
			if again := f.claim(t); again != nil {
				t.Errorf("%+v is sent, too", again.Message)
			}
		})
	}
}

// TestAMessageAnnouncesTheCardUntilOneMayHaveArrived: only a recipient who may know of the card
// gets a message about a new code. A new owner never gets the words of the sender.
func TestAMessageAnnouncesTheCardUntilOneMayHaveArrived(t *testing.T) {
	t.Parallel()
	owned := func(t *testing.T, f fixture, card id.ID) {
		t.Helper()
		f.activate(t, card)
		f.changed(t, card, func(tx *store.Tx, c *store.Card) error {
			return tx.TransferOwnership(t.Context(), c, "Bob", "bob@example.com", id.ID{})
		})
	}
	refused := func(t *testing.T, f fixture) {
		t.Helper()
		due := f.claim(t)
		commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordRefused(t.Context(), due, "no such user") })
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, f fixture, card id.ID)
		kind   string
	}{
		"nothing was sent": {func(*testing.T, fixture, id.ID) {}, store.MessageCard},
		"it was refused":   {func(t *testing.T, f fixture, _ id.ID) { t.Helper(); refused(t, f) }, store.MessageCard},
		"it was sent":      {func(t *testing.T, f fixture, _ id.ID) { t.Helper(); f.recordSent(t, f.claim(t)) }, store.MessageCode},
		"it was sent long ago": {func(t *testing.T, f fixture, _ id.ID) {
			t.Helper()
			f.recordSent(t, f.claim(t))
			f.exec(t, "delete from messages")
		}, store.MessageCode},
		"nobody knows":               {func(t *testing.T, f fixture, _ id.ID) { t.Helper(); f.deferred(t, true) }, store.MessageCode},
		"another owner was told":     {func(t *testing.T, f fixture, card id.ID) { t.Helper(); owned(t, f, card); f.recordSent(t, f.claim(t)) }, store.MessageCode},
		"another owner was not told": {func(t *testing.T, f fixture, card id.ID) { t.Helper(); owned(t, f, card); refused(t, f) }, store.MessageOwner},
		"another owner of a real card": {func(t *testing.T, f fixture, card id.ID) {
			t.Helper()
			f.exec(t, "update gift_cards set is_physical = true")
			owned(t, f, card)
		}, store.MessageOwner},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			card := f.addressed(t, nil)
			c.before(t, f, card.ID)
			f.resend(t, card.ID, store.Recipient{})
			due := f.claim(t)
			if first := name == "nothing was sent"; due == nil || due.Kind != c.kind || (due.Sequence == 0) != first {
				t.Errorf("due is %+v, want kind %s, and the first Message-ID only if nothing had it", due, c.kind)
			}
		})
	}
}

// TestOfSeveralMessagesOnlyTheNewestIsSentOnceMore, to the card's present address.
func TestOfSeveralMessagesOnlyTheNewestIsSentOnceMore(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	f.recordSent(t, f.claim(t))
	f.resend(t, card.ID, store.Recipient{})
	f.recordSent(t, f.claim(t))
	if got := f.retry(t, store.RetrySent, card.ID); len(got) != 1 {
		t.Fatalf("%d messages are sent once more", len(got))
	}
	due := f.claim(t)
	if due == nil || due.Sequence != 2 {
		t.Fatalf("due is %+v", due)
	}
	f.recordSent(t, due)
	f.exec(t, "update gift_cards set customer_email = 'bob@example.com'")
	if got := f.retry(t, store.RetrySent, card.ID); len(got) != 0 {
		t.Error("a message goes once more to an address that is not the card's")
	}
}

// TestAMessageThatWaitsKeepsItsTimeWhenTheCodeIsResent, and goes to the new address. The message
// of an added channel waits until the same time.
func TestAMessageThatWaitsKeepsItsTimeWhenTheCodeIsResent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	later := f.Clock().Add(time.Hour).Truncate(time.Microsecond)
	card := f.addressed(t, &later)
	email, phone := "ada@example.net", "+442079460018"
	f.resend(t, card.ID, store.Recipient{Email: &email, Phone: &phone})
	for address, want := range map[string]string{email: "email", phone: "sms"} {
		var channel, kind string
		var at time.Time
		must(t, f.Pool().QueryRow(t.Context(), "select channel, kind, next_attempt_at from messages where address = $1 and status = 'scheduled'", address).Scan(&channel, &kind, &at))
		if channel != want || kind != store.MessageCard || !at.Equal(later) {
			t.Errorf("%s: %s of %s at %s, want %s", address, kind, channel, at, later)
		}
	}
	if n := f.count(t, "messages"); n != 2 {
		t.Errorf("%d messages", n)
	}
	if f.claim(t) != nil {
		t.Error("the gift arrives early")
	}
	f.clock.Move(time.Hour)
	if due := f.claim(t); due == nil || string(due.Card.SealedCode) == string(card.SealedCode) {
		t.Error("the message has the old code")
	}
}

// TestAMessageMovedWhileItIsSentIsNotTriedBeforeItsTime: a worker still holds the message, and the
// mail server refuses it for now.
func TestAMessageMovedWhileItIsSentIsNotTriedBeforeItsTime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	due := f.claim(t)
	later := f.Clock().Add(48 * time.Hour).Truncate(time.Microsecond)
	schedule := func(at *time.Time) {
		f.changed(t, card.ID, func(tx *store.Tx, c *store.Card) error { return tx.ScheduleDelivery(t.Context(), c, at) })
	}
	schedule(nil)
	if again := f.claim(t); again != nil {
		t.Error("two workers send the message")
	}
	schedule(&later)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordDeferred(t.Context(), due, "greylisted", false) })
	if m := f.message(t); m.Status != store.MessageScheduled || !m.NextAttemptAt.Equal(later) {
		t.Errorf("%s, tried again at %s, want %s", m.Status, m.NextAttemptAt, later)
	}
	f.clock.Move(48 * time.Hour)
	due = f.claim(t)
	if due == nil {
		t.Fatal("it is not due at its time")
	}
	if commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordDeferred(t.Context(), due, "greylisted", false) }); f.message(t).Status != store.MessageScheduled {
		t.Error("its day of attempts began before its time")
	}
}

// TestResealingKeepsACodeThatWasResentMeanwhile: resealing has read the old code, and waits for
// the lock of the card.
func TestResealingKeepsACodeThatWasResentMeanwhile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	must(t, f.CheckKeys(t.Context()))
	card := f.addressed(t, nil)
	f.reseal(t, 10)
	f.clock.Move(time.Hour)
	f = f.rotate(t)
	var want string
	resealed := make(chan error, 1)
	f.changed(t, card.ID, func(tx *store.Tx, c *store.Card) error {
		must(t, tx.ResendCode(t.Context(), c, store.Recipient{}))
		must(t, tx.SaveCards(t.Context(), c))
		var err error
		want, err = f.OpenCode(c.ID, c.SealedCode)
		must(t, err)
		go func() {
			resealed <- store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
				_, err := tx.Reseal(t.Context(), 10)
				return err
			})
		}()
		for range 1000 {
			var waiting bool
			_, err := tx.Unwrap().Exec(t.Context(), "select pg_stat_clear_snapshot()") // a transaction keeps what it saw
			must(t, err)
			must(t, tx.Unwrap().QueryRow(t.Context(), "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%sealed_code%')").Scan(&waiting))
			if waiting {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("resealing never waited for the card")
		return nil
	})
	must(t, <-resealed)
	if got := f.codes(t)[card.ID.String()]; got != want {
		t.Errorf("the code is %s after resealing, want %s", got, want)
	}
}

// TestStatementsOfVersion010HitNoOtherMessage: servers of version 0.1.0 may run beside this one,
// and look for a message only by its card and channel.
func TestStatementsOfVersion010HitNoOtherMessage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	f.recordSent(t, f.claim(t))
	to := "ada@example.net"
	f.resend(t, card.ID, store.Recipient{Email: &to})
	f.exec(t, `update messages set status = 'sent', sent_at = now() where card_id = $1 and channel = 'email'
		and status not in ('sent', 'written', 'failed', 'dropped')`, card.ID[:])
	if n := f.count(t, "messages where status = 'scheduled' and sequence = 1"); n != 1 {
		t.Error("a message that nobody claimed is recorded as sent")
	}
	rows, err := f.Pool().Query(t.Context(), `with due as materialized (
			select d.program_id, d.card_id, d.channel from messages d
			where d.status = 'scheduled' and not d.bulk and d.channel = 'email' and d.next_attempt_at <= now() + interval '1 hour'
			order by d.next_attempt_at limit 1 for update skip locked)
		update messages m set attempts = m.attempts + 1, unconfirmed = m.unconfirmed + 1, next_attempt_at = now()
		from due where m.program_id = due.program_id and m.card_id = due.card_id and m.channel = due.channel
		returning m.address`)
	must(t, err)
	defer rows.Close()
	var addresses []string
	for rows.Next() {
		var address string
		must(t, rows.Scan(&address))
		addresses = append(addresses, address)
	}
	must(t, rows.Err())
	if strings.Join(addresses, " ") != to {
		t.Errorf("it sends to %q, want %s alone", addresses, to)
	}
}

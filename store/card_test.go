package store_test

import (
	"errors"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest/check"
)

func TestASuspensionIsReplacedAndKeepsItsBeginning(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	begin := f.Clock().UTC().Truncate(time.Microsecond)
	for what, card := range map[string]id.ID{"active": f.activated(t), "pending": f.newCard(t)} {
		one, two, until := "stolen", "found", begin.Add(time.Hour)
		suspend := func(reason *string, until *time.Time) store.Card {
			t.Helper()
			c, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { return c.Suspend(reason, until) })
			must(t, err)
			return c
		}
		f.clock.StopAt(begin)
		if c := suspend(&one, nil); *c.SuspendedReason != one || c.SuspendedUntil != nil || !c.SuspendedAt.Equal(f.Clock()) {
			t.Errorf("%s, suspended: %+v", what, c.GiftCard)
		}
		f.clock.Move(time.Minute)
		if c := suspend(&two, &until); *c.SuspendedReason != two || !c.SuspendedUntil.Equal(until) || !c.SuspendedAt.Truncate(time.Microsecond).Equal(begin) {
			t.Errorf("%s, suspended again: %+v", what, c.GiftCard)
		}
		f.clock.StopAt(until) // the suspension is over
		if c := suspend(nil, nil); c.SuspendedReason != nil || c.SuspendedUntil != nil || !c.SuspendedAt.Equal(until) {
			t.Errorf("%s, suspended after the end: %+v", what, c.GiftCard)
		}
		c, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { return c.Resume() })
		must(t, err)
		if c.Status != what || c.State() != what || c.SuspendedAt != nil || c.SuspendedReason != nil {
			t.Errorf("%s, resumed: %+v", what, c.GiftCard)
		}
	}
}

func TestTheNextChangeClearsASuspensionThatIsOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	pending, active := f.newCard(t), f.activated(t)
	reason, until := "lost", f.Clock().Add(time.Hour)
	for _, card := range []id.ID{pending, active} {
		_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { return c.Suspend(&reason, &until) })
		must(t, err)
	}
	f.clock.Move(time.Hour + time.Second)
	_, err := f.change(t, pending, func(_ *store.Tx, c *store.Card) error { return c.Activate(nil, nil) })
	must(t, err)
	_, err = f.change(t, active, func(_ *store.Tx, c *store.Card) error {
		_, err := c.Redeem(amount(t, "1"), store.Details{})
		return err
	})
	must(t, err)
	if n := f.count(t, "gift_cards where status = 'active' and suspended_at is null and suspended_until is null and suspended_reason is null"); n != 2 {
		t.Errorf("%d of 2 cards have no columns of the suspension left", n)
	}
}

// TestAStoppedCardIsSuspendedWhenItCouldBeUsedAgain: a refund of a depleted card and an extension of an
// expired one do not lift the suspension. The merchant's own resume does.
func TestAStoppedCardIsSuspendedWhenItCouldBeUsedAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	change := func(card id.ID, do func(*store.Card) error) string {
		t.Helper()
		c, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { return do(c) })
		must(t, err)
		return c.State()
	}
	stop := func(c *store.Card) error { return c.Stop(new("stolen")) }
	depleted, expired, voided := f.activated(t), f.activated(t), f.activated(t)
	spent := f.redeemed(t, depleted, "25")
	if state := change(depleted, stop); state != store.CardDepleted {
		t.Errorf("a depleted card is %s after it was stopped", state)
	}
	_, err := f.refund(t, depleted, spent, "5")
	must(t, err)
	f.exec(t, "update gift_cards set expires_at = $2 where id = $1", expired, f.Clock())
	if state := change(expired, stop); state != store.CardExpired {
		t.Errorf("an expired card is %s after it was stopped", state)
	}
	for what, card := range map[string]id.ID{"refunded": depleted, "extended": expired} {
		if what == "extended" {
			change(card, func(c *store.Card) error { return c.Extend(time.Hour) })
		}
		state := change(card, func(c *store.Card) error {
			_, err := c.Redeem(amount(t, "1"), store.Details{})
			if !errors.Is(err, store.ErrCardNotActive) {
				t.Errorf("%s, the card is spent: %v", what, err)
			}
			return nil
		})
		if state != store.CardSuspended {
			t.Errorf("%s, the card is %s", what, state)
		}
		if state := change(card, func(c *store.Card) error { return c.Resume() }); state != store.CardActive {
			t.Errorf("%s and resumed, the card is %s", what, state)
		}
	}
	change(voided, func(c *store.Card) error {
		_, err := c.Void(nil)
		return err
	})
	_, err = f.change(t, voided, func(_ *store.Tx, c *store.Card) error { return stop(c) })
	if !errors.Is(err, store.ErrCardVoided) {
		t.Errorf("a voided card: %v", err)
	}
}

// redeemed redeems an amount of a card and returns the entry's id.
func (f fixture) redeemed(t *testing.T, card id.ID, text string) id.ID {
	t.Helper()
	var entry store.Entry
	_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) (err error) {
		entry, err = c.Redeem(amount(t, text), store.Details{})
		return err
	})
	must(t, err)
	return entry.ID
}

// refund refunds an amount of an entry, or all that is left of it if text is empty.
func (f fixture) refund(t *testing.T, card, entry id.ID, text string) (refund store.Entry, err error) {
	t.Helper()
	var wanted *money.Amount
	if text != "" {
		wanted = new(amount(t, text))
	}
	_, err = f.change(t, card, func(tx *store.Tx, c *store.Card) error {
		refundable, err := tx.Refundable(t.Context(), c, entry)
		if err == nil {
			refund, err = c.Refund(refundable, wanted, store.Details{})
		}
		return err
	})
	return refund, err
}

func TestRefundsOfARedemptionNeverExceedIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.activated(t)
	first, second := f.redeemed(t, card, "10.005"), f.redeemed(t, card, "14.995") // depleted
	for _, c := range []struct {
		entry      id.ID
		text, want string
		err        error
	}{
		{first, "10.0051", "", store.ErrRefundTooLarge},
		{first, "4", "4.00", nil},
		{first, "6.01", "", store.ErrRefundTooLarge},
		{first, "", "6.005", nil},
		{first, "", "", store.ErrRefunded},
		{first, "0.01", "", store.ErrRefunded},
		{second, "", "14.995", nil}, // the refunds of the other do not count
		{id.New(f.Clock()), "", "", store.ErrEntryNotFound},
	} {
		got, err := f.refund(t, card, c.entry, c.text)
		if !errors.Is(err, c.err) || err == nil && (got.Amount.String() != c.want || *got.ReferenceID != c.entry.String() || *got.Description != "Gift card refund") {
			t.Errorf("refund %q: %+v %v, want %s %v", c.text, got, err, c.want, c.err)
		}
	}
	other := f.activated(t)
	if _, err := f.refund(t, other, first, ""); !errors.Is(err, store.ErrEntryNotFound) {
		t.Errorf("an entry of another card: %v", err)
	}
	var refund string
	must(t, f.Pool().QueryRow(t.Context(), "select encode(id, 'hex') from ledger_entries where type = 'REFUND' limit 1").Scan(&refund))
	refunded, err := id.Parse(refund)
	must(t, err)
	if _, err := f.refund(t, card, refunded, ""); !errors.Is(err, store.ErrNotRefundable) {
		t.Errorf("a refund of a refund: %v", err)
	}
	if n := f.count(t, "gift_cards where balance = 25"); n != 2 {
		t.Errorf("%d cards have all of their money, want 2", n)
	}
}

func TestAVoidDropsTheScheduledMessagesOfItsCardOnly(t *testing.T) {
	t.Parallel()
	f := setup(t)
	later := f.Clock().Add(time.Hour)
	kept, waiting, claimed := f.addressed(t, &later), f.addressed(t, &later), f.addressed(t, nil)
	if due := f.claim(t); due == nil || due.CardID != claimed.ID {
		t.Fatalf("claimed %+v", due)
	}
	sent := f.addressed(t, nil).ID
	due := f.claim(t)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
	for _, card := range []id.ID{waiting.ID, claimed.ID, sent} {
		_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { _, err := c.Void(nil); return err })
		must(t, err)
	}
	for card, want := range map[id.ID][2]string{
		kept.ID: {"scheduled", ""}, waiting.ID: {"dropped", "the card is voided"}, sent: {"sent", ""},
		claimed.ID: {"dropped", "the card was voided while the message was being sent, so it may have arrived"},
	} {
		var status, reason string
		must(t, f.Pool().QueryRow(t.Context(), "select status, coalesce(last_error, '') from messages where card_id = $1", card).Scan(&status, &reason))
		if status != want[0] || reason != want[1] {
			t.Errorf("a message is %s (%s), want %s", status, reason, want)
		}
	}
	f.clock.Move(2 * time.Hour)
	if due := f.claim(t); due == nil || due.CardID != kept.ID {
		t.Errorf("the message of the other card is not sent: %+v", due)
	}
	if due := f.claim(t); due != nil {
		t.Errorf("a message of a voided card is sent: %+v", due)
	}
}

// TestAVoidAndTheRecordOfASentMessageWaitForEachOther and never end in a deadlock. A deadlock
// would lose the record, and the message would be sent again.
func TestAVoidAndTheRecordOfASentMessageWaitForEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	due, recorded := f.claim(t), make(chan error, 1)
	_, err := f.change(t, card.ID, func(_ *store.Tx, c *store.Card) error {
		go func() {
			recorded <- store.Do(t.Context(), f.Store, func(tx *store.Tx) error { return tx.RecordSent(t.Context(), due) })
		}()
		check.Until(t, "the record that waits for the card", func() bool { return len(f.blocked(t)) == 1 })
		_, err := c.Void(nil)
		return err
	})
	if err := errors.Join(err, <-recorded); err != nil {
		t.Error(err)
	}
	if m := f.message(t); m.Status != store.MessageDropped {
		t.Errorf("the message is %s", m.Status)
	}
}

package store_test

import (
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// TestMessagesOfASuspendedCardWait until the suspension is over. They are dropped if the card ends
// before. The message about a depleted card is still sent.
func TestMessagesOfASuspendedCardWait(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	card := f.addressed(t, nil)
	waits := func(until time.Time) {
		t.Helper()
		if due := f.claim(t); due != nil {
			t.Fatalf("claimed %+v", due)
		}
		if m := f.message(t); m.Status != store.MessageScheduled || m.Attempts != 0 || m.Unconfirmed != 0 || m.GiveUpAt != nil || !m.NextAttemptAt.Equal(until) || *m.LastError != "the card is suspended" {
			t.Errorf("it waits as %+v, want until %s", m, until)
		}
	}
	f.exec(t, "update gift_cards set status = 'suspended', suspended_at = $1, suspended_until = $2", f.Clock(), f.Clock().Add(90*time.Minute))
	end := f.Clock().Add(90 * time.Minute)
	waits(f.Clock().Add(time.Hour)) // its end may be moved
	f.clock.Move(time.Hour)
	waits(end.Truncate(time.Microsecond))
	f.exec(t, "update gift_cards set suspended_until = null")
	f.clock.Move(30 * time.Minute)
	waits(f.Clock().Add(time.Hour))
	f.exec(t, "update gift_cards set status = 'pending', suspended_at = null")
	commit(t, f.Store, func(tx *store.Tx) error { return tx.HurryMessagesOfCard(t.Context(), f.program, card.ID) })
	if due := f.claim(t); due == nil {
		t.Error("it waits though the suspension was lifted")
	}

	for name, c := range map[string]struct{ change, status, reason string }{
		"voided":  {"status = 'voided', balance = 0", store.MessageDropped, "the card is voided"},
		"expired": {"expires_at = created_at", store.MessageDropped, "the card expired"},
		"both":    {"status = 'voided', expires_at = created_at", store.MessageDropped, "the card is voided"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.addressed(t, nil)
			f.exec(t, "update gift_cards set status = 'suspended', suspended_at = now()")
			f.claim(t)
			f.exec(t, "update gift_cards set "+c.change)
			f.clock.Move(time.Hour)
			if due := f.claim(t); due != nil {
				t.Errorf("claimed %+v", due)
			}
			if m := f.message(t); m.Status != c.status || *m.LastError != c.reason {
				t.Errorf("%s: %v", m.Status, *m.LastError)
			}
		})
	}
	t.Run("depleted", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		card := f.addressed(t, nil)
		f.activate(t, card.ID)
		f.changed(t, card.ID, func(_ *store.Tx, c *store.Card) error {
			_, err := c.Redeem(c.Balance, store.Details{})
			return err
		})
		if due := f.claim(t); due == nil {
			t.Error("the card is spent, and its message is not sent")
		}
	})
}

func TestAHurryChangesNoMessageThatIsNotDueOrIsBeingSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	hurry := func(card id.ID) {
		commit(t, f.Store, func(tx *store.Tx) error { return tx.HurryMessagesOfCard(t.Context(), f.program, card) })
	}
	sending := f.addressed(t, nil)
	f.claim(t)
	later := f.Clock().Add(time.Hour)
	hurry(f.addressed(t, &later).ID)
	hurry(sending.ID)
	if due := f.claim(t); due != nil {
		t.Errorf("claimed %+v", due.Message)
	}
}

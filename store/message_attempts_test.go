package store_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// TestTheMessageDueLongestGoesFirst in either lane, whatever plan PostgreSQL chooses.
func TestTheMessageDueLongestGoesFirst(t *testing.T) {
	t.Parallel()
	for _, lane := range []store.Lane{{Channel: store.ChannelEmail}, {Channel: store.ChannelEmail, Bulk: true}} {
		f := setup(t)
		var cards, claimed []id.ID
		for _, after := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
			at := f.Clock().Add(after)
			cards = append(cards, f.addressed(t, &at).ID)
		}
		f.exec(t, "update messages set bulk = $1", lane.Bulk)
		f.clock.Move(4 * time.Hour)
		commit(t, f.Store, func(tx *store.Tx) error {
			for _, way := range []string{"indexscan", "bitmapscan"} { // a sequential scan would find them in this order by chance
				_, err := tx.Unwrap().Exec(t.Context(), "set local enable_"+way+" = off")
				must(t, err)
			}
			for range cards {
				due, err := tx.ClaimMessage(t.Context(), lane, f.program)
				must(t, err)
				claimed = append(claimed, due.CardID)
			}
			return nil
		})
		if want := []id.ID{cards[1], cards[2], cards[0]}; !slices.Equal(claimed, want) {
			t.Errorf("%+v: claimed %v, want %v", lane, claimed, want)
		}
	}
}

// TestTheTimeBetweenAttemptsDoublesUpToHalfAnHour, beginning with 15 seconds.
func TestTheTimeBetweenAttemptsDoublesUpToHalfAnHour(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	f.addressed(t, nil)
	want := map[int16]time.Duration{
		1: 15 * time.Second, 2: 30 * time.Second, 3: time.Minute, 4: 2 * time.Minute, 5: 4 * time.Minute,
		6: 8 * time.Minute, 7: 16 * time.Minute, 8: 30 * time.Minute, 9: 30 * time.Minute, 20: 30 * time.Minute,
	}
	for attempt := int16(1); attempt <= 20; attempt++ {
		m := f.deferred(t, false)
		pause := m.NextAttemptAt.Sub(f.Clock())
		if wanted, ok := want[attempt]; m.Attempts != attempt || m.Unconfirmed != 0 || ok && pause != wanted {
			t.Errorf("a pause of %s after attempt %d (%d, unconfirmed %d), want %s", pause, attempt, m.Attempts, m.Unconfirmed, wanted)
		}
		f.clock.Move(pause)
	}
}

// TestTheLastAttemptIsADayAfterTheFirst, even if the pause would end later.
func TestTheLastAttemptIsADayAfterTheFirst(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	f.addressed(t, nil)
	end := f.Clock().Add(24 * time.Hour)
	f.deferred(t, false)
	f.clock.Move(24*time.Hour - 10*time.Second)
	if m := f.deferred(t, false); m.Status != store.MessageScheduled || !m.NextAttemptAt.Equal(end) {
		t.Errorf("10 s before the end it is %s, tried again at %s, want %s", m.Status, m.NextAttemptAt, end)
	}
	f.clock.Move(10 * time.Second)
	if m := f.deferred(t, false); m.Status != store.MessageFailed || m.Attempts != 3 {
		t.Errorf("at the end it is %s after %d attempts", m.Status, m.Attempts)
	}
}

// TestAMessageIsHandedOverTwiceAtMostWithoutAConfirmation: an attempt that was refused does not
// count.
func TestAMessageIsHandedOverTwiceAtMostWithoutAConfirmation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.addressed(t, nil)
	for i, c := range []struct {
		unconfirmed bool
		status      string
	}{{true, store.MessageScheduled}, {false, store.MessageScheduled}, {true, store.MessageFailed}} {
		if m := f.deferred(t, c.unconfirmed); m.Status != c.status {
			t.Errorf("after attempt %d it is %s, want %s", i+1, m.Status, c.status)
		}
		f.clock.Move(time.Hour)
	}
}

// TestAPermanentRefusalFailsAtOnce, and counts as a known outcome.
func TestAPermanentRefusalFailsAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.addressed(t, nil)
	due := f.claim(t)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordRefused(t.Context(), due, "no such user") })
	if m := f.message(t); m.Status != store.MessageFailed || m.Attempts != 1 || m.Unconfirmed != 0 || *m.LastError != "no such user" {
		t.Errorf("refused: %+v", m)
	}
}

// TestAClaimThatEndsAMessageIsNoAttempt, because nothing was sent.
func TestAClaimThatEndsAMessageIsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change                string
		status                string
		attempts, unconfirmed int16
	}{
		"voided card":       {"update gift_cards set status = 'voided'", store.MessageDropped, 0, 0},
		"no card":           {"delete from gift_cards", store.MessageFailed, 0, 0},
		"handed over twice": {"update messages set attempts = 5, unconfirmed = 2", store.MessageFailed, 5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.addressed(t, nil)
			f.exec(t, c.change)
			if due := f.claim(t); due != nil {
				t.Errorf("claimed %+v", due)
			}
			if m := f.message(t); m.Status != c.status || m.Attempts != c.attempts || m.Unconfirmed != c.unconfirmed {
				t.Errorf("%s after %d attempts, %d unconfirmed", m.Status, m.Attempts, m.Unconfirmed)
			}
		})
	}
}

// TestACardIsSentUntilTheInstantOfItsExpiry, and not at that instant.
func TestACardIsSentUntilTheInstantOfItsExpiry(t *testing.T) {
	t.Parallel()
	for status, before := range map[string]time.Duration{store.MessageScheduled: time.Microsecond, store.MessageDropped: 0} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.clock.Stop()
			f.addressed(t, nil)
			f.exec(t, "update gift_cards set expires_at = $1", f.Clock().Add(before))
			if due := f.claim(t); (due != nil) != (before > 0) || f.message(t).Status != status {
				t.Errorf("%s before the expiry: claimed %+v, now %s", before, due, f.message(t).Status)
			}
		})
	}
}

// TestAReleasedMessageIsAsItWasAndDueAtOnce, with the error of the attempt before.
func TestAReleasedMessageIsAsItWasAndDueAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	f.addressed(t, nil)
	before := f.deferred(t, true)
	f.clock.Move(time.Hour)
	due := f.claim(t)
	f.clock.Move(time.Second)
	commit(t, f.Store, func(tx *store.Tx) error { return tx.ReleaseMessage(t.Context(), due) })
	after := f.message(t)
	if !after.NextAttemptAt.Equal(f.Clock()) {
		t.Errorf("due at %s, not at once", after.NextAttemptAt)
	}
	after.NextAttemptAt = before.NextAttemptAt
	if !reflect.DeepEqual(after, before) {
		t.Errorf("released as %+v, was %+v", after, before)
	}
}

// TestARecordThatComesLateChangesNothing if the message has ended meanwhile, or if another worker
// has claimed it. Only the record that it was sent is written despite another worker's claim.
func TestARecordThatComesLateChangesNothing(t *testing.T) {
	t.Parallel()
	records := map[string]func(context.Context, *store.Tx, *store.Due) error{
		"written": func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.RecordWritten(ctx, due) },
		"sent":    func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.RecordSent(ctx, due) },
		"refused": func(ctx context.Context, tx *store.Tx, due *store.Due) error {
			return tx.RecordRefused(ctx, due, "late")
		},
		"deferred": func(ctx context.Context, tx *store.Tx, due *store.Due) error {
			return tx.RecordDeferred(ctx, due, "late", true)
		},
		"released": func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.ReleaseMessage(ctx, due) },
	}
	for meanwhile, change := range map[string]string{
		"sent":    "update messages set status = 'sent', sent_at = created_at",
		"written": "update messages set status = 'written'",
		"failed":  "update messages set status = 'failed', last_error = 'no'",
		"dropped": "update messages set status = 'dropped', last_error = 'the card expired'",
		"claimed": "update messages set attempts = attempts + 1",
	} {
		t.Run(meanwhile, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.addressed(t, nil)
			due := f.claim(t)
			f.exec(t, change)
			before := f.message(t)
			for name, record := range records {
				if (name == "sent" || name == "written") && meanwhile == "claimed" {
					continue // recorded even if another worker has claimed it
				}
				commit(t, f.Store, func(tx *store.Tx) error { return record(t.Context(), tx, due) })
				if after := f.message(t); !reflect.DeepEqual(after, before) {
					t.Errorf("recorded as %s, it is %+v, was %+v", name, after, before)
				}
			}
		})
	}
}

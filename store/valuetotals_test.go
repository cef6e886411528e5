package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// reload is a movement that adds an amount to a card.
func (f fixture) reload(t *testing.T, card id.ID, text string) store.Movement {
	t.Helper()
	added := amount(t, text)
	return store.Movement{
		Access: f.access, ProgramID: f.program, Cards: []id.ID{card}, Adds: added, Entry: store.AuditEntry{Operation: "reloadGiftCard", Client: "192.0.2.1"},
		Apply: func(cards []*store.Card) (store.Answer, error) {
			_, err := cards[0].Reload(added, store.Details{})
			return store.Answer{Status: 200, Body: []byte("{}")}, err
		},
	}
}

// TestReloadsAndNewCardsGoTogetherUpToTheLimitOnValue, and not a cent above it, at the same moment
// on two instances. Otherwise a card of one cent and reloads would be a way around the limit.
func TestReloadsAndNewCardsGoTogetherUpToTheLimitOnValue(t *testing.T) {
	t.Parallel()
	f, other := instances(t)
	cards := []id.ID{f.activated(t), f.activated(t), f.activated(t)}
	f.limit(t, f.program, -1, "100.005")
	f.limit(t, f.access.User.ID, -1, "1000")
	var promised atomic.Int64
	var all sync.WaitGroup
	for i := range 45 {
		on, terms, reload := []fixture{f, other}[i%2], f.worth(t, "7"), f.reload(t, cards[i%len(cards)], "7")
		all.Go(func() {
			var err error
			if i%3 == 0 {
				err = on.create(t.Context(), terms, nil).err
			} else {
				_, err = on.Move(t.Context(), reload)
			}
			if refused, ok := errors.AsType[*store.Error](err); err != nil && (!ok || refused.Kind != store.Forbidden) {
				t.Errorf("request %d: %v", i, err)
			} else if err == nil {
				promised.Add(7)
			}
		})
	}
	all.Wait()
	if promised.Load() != 98 {
		t.Errorf("%d were promised, want 98", promised.Load())
	}
	const words = "Daily limit of the program reached: value is limited to 100.005 a day, 2.005 left until midnight UTC"
	_, err := f.Move(t.Context(), f.reload(t, cards[0], "2.006"))
	wantRefused(t, "a reload above the limit", err, words)
	_, err = other.Move(t.Context(), other.reload(t, cards[0], "2.005"))
	must(t, err)
	_, err = f.Move(t.Context(), f.reload(t, cards[0], "0.01"))
	wantRefused(t, "a cent more", err, "Daily limit of the program reached: value is limited to 100.005 a day, 0.00 left until midnight UTC")
	wantRefused(t, "a card", f.create(t.Context(), f.worth(t, "0.01"), nil).err, "Daily limit of the program reached: value is limited to 100.005 a day, 0.00 left until midnight UTC")
	if total := f.total(t, f.access.User.ID); f.total(t, f.program) != total {
		t.Errorf("counted: program %s, user %s", f.total(t, f.program), total)
	}
	if n := f.count(t, "gift_cards g where balance <> (select sum(amount) from ledger_entries e where e.card_id = g.id)"); n > 0 {
		t.Errorf("%d balances do not follow from the ledger", n)
	}
	f.clock.Move(12 * time.Hour)
	_, err = f.Move(t.Context(), f.reload(t, cards[0], "100"))
	must(t, err)
	if got := f.total(t, f.program); got != "0 100" {
		t.Errorf("counted on the next day: %s", got)
	}
}

// TestARefusedReloadOfASharedTransactionLeavesNothing: its neighbours are written, a retry under a
// key is not counted again, and a limit on cards alone refuses no reload.
func TestARefusedReloadOfASharedTransactionLeavesNothing(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	card := f.activated(t)
	f.limit(t, f.program, 100, "")
	f.limit(t, f.access.User.ID, -1, "10")
	keyed := func() store.Movement {
		m := f.reload(t, card, "4")
		m.Key = f.key("reload", "")
		m.Key.Operation, m.Key.Subject = "reloadGiftCard", card[:]
		return m
	}
	refused := 0
	for i, err := range f.sharedMovements(t, keyed(), f.reload(t, card, "4"), f.reload(t, card, "4"), keyed(), f.redemption(card, "1")) {
		if err != nil {
			refused++
			wantRefused(t, fmt.Sprintf("movement %d", i), err, "Daily limit of the user reached: value is limited to 10.00 a day, 2.00 left until midnight UTC")
		}
	}
	// Two, if the movements with the key came last.
	if refused < 1 || refused > 2 || f.count(t, "gift_cards where balance = 32") != 1 || f.count(t, "ledger_entries where type = 'RELOAD'") != 2 {
		t.Errorf("%d movements were refused, and %d reloads are written", refused, f.count(t, "ledger_entries where type = 'RELOAD'"))
	}
	if got := f.total(t, f.access.User.ID); got != "0 8" {
		t.Errorf("counted: %s", got)
	}
	// A limit below what is counted leaves 0, and not less.
	f.limit(t, f.access.User.ID, -1, "5")
	_, err := f.Move(t.Context(), f.reload(t, card, "1"))
	wantRefused(t, "above a lowered limit", err, "Daily limit of the user reached: value is limited to 5.00 a day, 0.00 left until midnight UTC")
}

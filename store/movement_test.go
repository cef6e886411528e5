package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest/check"
)

// sharedMovements makes all movements wait at the same moment, so that they share a transaction.
// It returns their errors.
func (f fixture) sharedMovements(t *testing.T, movements ...store.Movement) []error {
	t.Helper()
	var all sync.WaitGroup
	running, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release() // also after a failure, because the store waits for its transactions
	// These movements occupy the transactions. Each has another card.
	for range store.SharedAtOnce {
		occupying := f.redemption(f.activated(t), "1")
		occupying.Apply = func([]*store.Card) (store.Answer, error) {
			running <- struct{}{}
			<-released
			return store.Answer{}, errors.New("only occupies a transaction")
		}
		all.Go(func() { _, _ = f.Move(t.Context(), occupying) })
		select {
		case <-running:
		case <-time.After(time.Minute):
			t.Fatal("no movement occupies a transaction after a minute")
		}
	}
	failed := make([]error, len(movements))
	for i, m := range movements {
		all.Go(func() { _, failed[i] = f.Move(t.Context(), m) })
	}
	check.Until(t, "all movements in the queue", func() bool { return store.WaitingMovements(f.Store) == len(movements) })
	release()
	all.Wait()
	return failed
}

// redemption returns a movement that redeems an amount from a card.
func (f fixture) redemption(card id.ID, text string) store.Movement {
	return store.Movement{
		Access: f.access, ProgramID: f.program, Cards: []id.ID{card}, Entry: store.AuditEntry{Operation: "redeemGiftCard", Client: "192.0.2.1"},
		Apply: func(cards []*store.Card) (store.Answer, error) {
			taken, err := money.Parse(text)
			if err == nil {
				_, err = cards[0].Redeem(taken, store.Details{})
			}
			return store.Answer{Status: 200, Body: []byte("{}")}, err
		},
	}
}

// TestAMovementThatFailsHalfwayLeavesNothing, although other movements in its transaction change
// the same card before and after it.
func TestAMovementThatFailsHalfwayLeavesNothing(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	card, other := f.activated(t), f.activated(t)
	halfway := f.redemption(card, "7")
	halfway.Cards = []id.ID{card, other, id.New(f.Clock())}
	redeem, wrong := halfway.Apply, errors.New("wrong in the end")
	halfway.Apply = func(cards []*store.Card) (store.Answer, error) {
		answer, err := redeem(cards)
		_, second := redeem(cards[1:])
		if cards[2] != nil {
			err = errors.New("an unknown card is not nil")
		}
		return answer, errors.Join(err, second, wrong)
	}
	failed := f.sharedMovements(t, f.redemption(card, "1"), halfway, f.redemption(card, "2"), halfway, f.redemption(other, "3"))
	for i, err := range failed {
		if (i == 1 || i == 3) != errors.Is(err, wrong) || i != 1 && i != 3 && err != nil {
			t.Errorf("movement %d: %v", i, err)
		}
	}
	if n := f.count(t, "gift_cards where balance in (25 - 1 - 2, 25 - 3)"); n != 2 {
		t.Errorf("%d cards have the right balance, want 2", n)
	}
	if n := f.count(t, "ledger_entries where amount = -7"); n != 0 {
		t.Errorf("%d entries of a movement that failed", n)
	}
}

// TestAnOldAccessIsRefusedBesideACurrentOne: both were read for the same token, before and after a
// change of its user, and share a transaction.
func TestAnOldAccessIsRefusedBesideACurrentOne(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	card := f.activated(t)
	stale := f.redemption(card, "1")
	f.exec(t, "update users set role = 'cashier' where id = $1", f.access.User.ID)
	f.access.User.Role = store.RoleCashier
	fresh := f.redemption(card, "2")
	failed := f.sharedMovements(t, fresh, stale, fresh, stale, fresh)
	for i, err := range failed {
		if i%2 == 0 && err != nil || i%2 == 1 && !errors.Is(err, store.ErrAccessChanged) {
			t.Errorf("movement %d: %v", i, err)
		}
	}
}

// TestABusyCardFailsOnlyItsOwnMovements, after two seconds, although they share a transaction.
func TestABusyCardFailsOnlyItsOwnMovements(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	busy, free := f.activated(t), f.activated(t)
	lock, err := f.Pool().Begin(t.Context())
	must(t, err)
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = lock.Exec(t.Context(), "select from gift_cards where id = $1 for update", busy)
	must(t, err)
	failed := f.sharedMovements(t, f.redemption(free, "1"), f.redemption(busy, "1"), f.redemption(free, "1"))
	if failed[0] != nil || failed[2] != nil || !errors.Is(failed[1], store.ErrCardBusy) {
		t.Errorf("the movements: %v", failed)
	}
	_, err = f.change(t, busy, func(*store.Tx, *store.Card) error { return nil })
	if !errors.Is(err, store.ErrCardBusy) {
		t.Errorf("a change in a transaction of its own: %v", err)
	}
}

// TestACardIsLockedAlthoughANewerProgramHasAddedAColumn, because old and new servers run at the
// same time during an upgrade.
func TestACardIsLockedAlthoughANewerProgramHasAddedAColumn(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	f.exec(t, "alter table gift_cards add column newer text; alter table ledger_entries add column newer text; alter table idempotency_keys add column newer text")
	card := f.activated(t)
	_, err := f.Move(t.Context(), f.redemption(card, "1"))
	must(t, err)
}

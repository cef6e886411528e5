package store_test

import (
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/money"
)

// stateAt is the time at which the tests ask for states. moments are this time, and the times one
// microsecond before and after it. PostgreSQL's times are not more exact.
var (
	stateAt = time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	moments = []time.Time{stateAt.Add(-time.Microsecond), stateAt, stateAt.Add(time.Microsecond)}
)

// everyCard returns a card for every combination of the columns that decide about its state.
func everyCard(t *testing.T) []store.GiftCard {
	t.Helper()
	ends := []*time.Time{nil, &moments[0], &moments[1], &moments[2]}
	var all []store.GiftCard
	for _, status := range []string{"pending", "active", "suspended", "expired", "voided", "depleted"} {
		for _, activated := range []*time.Time{nil, &moments[0]} {
			for _, balance := range []string{"0", "0.00", "0.001", "10000"} {
				left, err := money.Parse(balance)
				must(t, err)
				for _, expiry := range moments {
					for _, until := range ends {
						all = append(all, store.GiftCard{Status: status, ActivatedAt: activated, Balance: left, ExpiresAt: expiry, SuspendedUntil: until})
					}
				}
			}
		}
	}
	return all
}

func TestGoAndSQLAgreeOnTheStateOfEveryCard(t *testing.T) {
	t.Parallel()
	f := setup(t)
	seen := map[string]bool{}
	for _, c := range everyCard(t) {
		var sql string
		must(t, f.Pool().QueryRow(t.Context(), "select card_state($1, $2, $3, $4, $5, $6)",
			c.Status, c.ActivatedAt, c.Balance, c.ExpiresAt, c.SuspendedUntil, stateAt).Scan(&sql))
		if state := store.StateOf(&c, stateAt); state != sql {
			t.Errorf("%s, activated %v, balance %s, expires %s, suspended until %v: %s in Go, %s in SQL",
				c.Status, c.ActivatedAt, c.Balance, c.ExpiresAt, c.SuspendedUntil, state, sql)
		}
		seen[sql] = true
	}
	if len(seen) != 6 {
		t.Errorf("the combinations have only the states %v", seen)
	}
}

// TestTheFirstReasonGivesTheState: each card also fulfils the conditions of the rows after it.
func TestTheFirstReasonGivesTheState(t *testing.T) {
	t.Parallel()
	before, after := &moments[0], &moments[2]
	ten, err := money.Parse("10")
	must(t, err)
	for _, c := range []struct {
		want string
		card store.GiftCard
	}{
		{store.CardVoided, store.GiftCard{Status: store.CardVoided, ActivatedAt: before, ExpiresAt: stateAt, SuspendedUntil: after}},
		{store.CardDepleted, store.GiftCard{Status: store.CardSuspended, ActivatedAt: before, ExpiresAt: stateAt, SuspendedUntil: after}},
		{store.CardExpired, store.GiftCard{Status: store.CardSuspended, ActivatedAt: before, Balance: ten, ExpiresAt: stateAt, SuspendedUntil: after}},
		{store.CardExpired, store.GiftCard{Status: store.CardPending, ExpiresAt: stateAt}},
		{store.CardSuspended, store.GiftCard{Status: store.CardSuspended, ActivatedAt: before, Balance: ten, ExpiresAt: *after, SuspendedUntil: after}},
		{store.CardSuspended, store.GiftCard{Status: store.CardSuspended, ExpiresAt: *after}},
		{store.CardActive, store.GiftCard{Status: store.CardSuspended, ActivatedAt: before, Balance: ten, ExpiresAt: *after, SuspendedUntil: &stateAt}},
		{store.CardPending, store.GiftCard{Status: store.CardSuspended, ExpiresAt: *after, SuspendedUntil: &stateAt}},
	} {
		if got := store.StateOf(&c.card, stateAt); got != c.want {
			t.Errorf("%+v is %s, want %s", c.card, got, c.want)
		}
	}
}

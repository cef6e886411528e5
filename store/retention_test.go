package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// TestRecipientsOfEndedCardsAreKeptForTheProgramsTimeAndNoLonger. Recipients of other cards, and
// of programs without a limit, are kept for ever.
func TestRecipientsOfEndedCardsAreKeptForTheProgramsTimeAndNoLonger(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	f := setup(t)
	f.clock.Stop()
	expires := f.Clock().Add(100 * day)
	issue := func(terms store.Terms) id.ID {
		terms.ExpiresAt = &expires
		return write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
			return tx.IssueCards(t.Context(), terms, []store.Recipient{ada("ada@example.com")})
		})[0].ID
	}
	cards := map[string]id.ID{}
	for _, name := range []string{"voided", "spent", "pending", "active", "expires later"} {
		cards[name] = issue(f.terms(t))
	}
	f.exec(t, "update gift_cards set expires_at = expires_at + interval '300 days' where id = $1", cards["expires later"])
	end := func() {
		f.changed(t, cards["voided"], func(_ *store.Tx, c *store.Card) error { _, err := c.Void(nil); return err })
		f.changed(t, cards["spent"], func(_ *store.Tx, c *store.Card) error { _, err := c.Redeem(c.Balance, store.Details{}); return err })
	}
	f.activate(t, cards["spent"])
	f.activate(t, cards["active"])
	end()
	erased := func() (names []string) {
		t.Helper()
		for { // until nothing is left to do
			steps := write(t, f.Store, func(tx *store.Tx) (int64, error) { return tx.EraseEnded(t.Context(), 1) })
			if steps == 0 {
				break
			}
		}
		for name, card := range cards {
			if f.count(t, fmt.Sprintf(`gift_cards where id = '\x%s' and num_nonnulls(customer_email, customer_phone, customer_name, sender_name, custom_message) = 0`, card)) == 1 {
				names = append(names, name)
				if n := f.count(t, fmt.Sprintf(`messages where card_id = '\x%s'`, card)); n != 0 {
					t.Errorf("%s: %d messages are left", name, n)
				}
			}
		}
		slices.Sort(names)
		return names
	}
	f.clock.Move(2000 * day)
	if names := erased(); len(names) > 0 {
		t.Errorf("without a limit %v are erased", names)
	}
	f.clock.Move(-2000 * day)
	f.exec(t, "update programs set recipient_retention = interval '30 days'")
	at := time.Duration(0)
	for _, step := range []struct {
		at   time.Duration
		want []string
	}{
		{30*day - time.Minute, nil},
		{30*day + time.Minute, []string{"spent", "voided"}},
		{130*day - time.Minute, []string{"spent", "voided"}},
		{130*day + time.Minute, []string{"active", "pending", "spent", "voided"}},
		{430*day - time.Minute, []string{"active", "pending", "spent", "voided"}},
		{430*day + time.Minute, []string{"active", "expires later", "pending", "spent", "voided"}},
	} {
		f.clock.Move(step.at - at)
		at = step.at
		if names := erased(); !slices.Equal(names, step.want) {
			t.Errorf("after %s %v are erased, want %v", step.at, names, step.want)
		}
	}
}

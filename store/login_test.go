package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/storetest"
)

// loginFrom records a user's successful login from a network.
func (f fixture) loginFrom(t *testing.T, email, network string) {
	t.Helper()
	login, err := f.FindLogin(t.Context(), email, netip.MustParsePrefix(network))
	must(t, err)
	err = store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		return tx.RememberLogin(t.Context(), login)
	})
	must(t, err)
}

func (f fixture) knows(t *testing.T, email, network string) bool {
	t.Helper()
	login, err := f.FindLogin(t.Context(), email, netip.MustParsePrefix(network))
	must(t, err)
	return login.Known
}

func (f fixture) addUser(t *testing.T) string {
	t.Helper()
	user, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.User, error) {
		merchant, err := tx.AddMerchant(t.Context(), "A merchant")
		if err != nil {
			return store.User{}, err
		}
		return tx.AddUser(t.Context(), store.User{MerchantID: merchant.ID, Email: uuid.NewString() + "@example.com", PasswordHash: "no password", Role: store.RoleReader})
	})
	must(t, err)
	return user.Email
}

func TestALoginMakesItsNetworkKnownForItsUserAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada, bob := f.addUser(t), f.addUser(t)
	const home, elsewhere = "192.0.2.1/32", "2001:db8:0:1::/64"
	if f.knows(t, ada, home) {
		t.Error("known before the first login")
	}
	f.loginFrom(t, ada, home)
	for name, known := range map[string]bool{"ada at home": f.knows(t, ada, home), "bob there": !f.knows(t, bob, home), "ada elsewhere": !f.knows(t, ada, elsewhere)} {
		if !known {
			t.Errorf("%s is not as it should be", name)
		}
	}
	if _, err := f.FindLogin(t.Context(), "nobody@example.com", netip.MustParsePrefix(home)); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("nobody: %v", err)
	}
	_, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.User, error) { return tx.SetPassword(t.Context(), ada, "another hash") })
	must(t, err)
	if f.knows(t, ada, home) {
		t.Error("known after a new password")
	}
}

// TestAKnownLoginIsWrittenOnceADayAndDeletedAfter90 days without a login.
func TestAKnownLoginIsWrittenOnceADayAndDeletedAfter90(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada := f.addUser(t)
	f.clock.Stop()
	start := f.Clock()
	seen := func() (at []time.Time) {
		rows, err := f.Pool().Query(t.Context(), "select last_seen from known_logins")
		must(t, err)
		var one time.Time
		for rows.Next() {
			must(t, rows.Scan(&one))
			at = append(at, one.UTC())
		}
		must(t, rows.Err())
		return at
	}
	for _, step := range []struct {
		move time.Duration
		want time.Duration // the time that is stored
	}{{0, 0}, {23 * time.Hour, 0}, {time.Hour, 24 * time.Hour}} {
		f.clock.Move(step.move)
		f.loginFrom(t, ada, "192.0.2.1/32")
		if got := seen(); len(got) != 1 || !got[0].Equal(start.Add(step.want)) {
			t.Errorf("after %s more: %v", step.move, got)
		}
	}
	f.clock.Move(90*24*time.Hour - time.Second)
	if !f.knows(t, ada, "192.0.2.1/32") {
		t.Error("forgotten before 90 days")
	}
	f.clock.Move(2 * time.Second)
	if f.knows(t, ada, "192.0.2.1/32") {
		t.Error("known after 90 days")
	}
	deleted, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (int64, error) { return tx.DeleteExpired(t.Context(), storetest.Lifetimes, 10) })
	must(t, err)
	if got := seen(); deleted != 1 || len(got) != 0 {
		t.Errorf("%d rows deleted, left: %v", deleted, got)
	}
}

func TestTheNewest50NetworksOfAUserAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ada, bob := f.addUser(t), f.addUser(t)
	f.clock.Stop()
	f.loginFrom(t, bob, "192.0.2.0/32")
	for i := range 60 {
		f.clock.Move(time.Second)
		f.loginFrom(t, ada, fmt.Sprintf("192.0.2.%d/32", i))
	}
	for i := range 60 {
		if known := f.knows(t, ada, fmt.Sprintf("192.0.2.%d/32", i)); known != (i >= 10) {
			t.Errorf("network %d: known %t", i, known)
		}
	}
	if !f.knows(t, bob, "192.0.2.0/32") {
		t.Error("another user's is gone")
	}
}

package store_test

import (
	"errors"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/storetest"
)

// TestNothingIsDoneForAnAccessThatHasChanged: the server caches accesses, so each statement
// checks the access again.
func TestNothingIsDoneForAnAccessThatHasChanged(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), 60, nil)
	})
	for name, change := range map[string]func(*store.Tx, store.Access) error{
		"deactivated": func(tx *store.Tx, a store.Access) error {
			_, err := tx.SetActive(t.Context(), a.User.Email, false)
			return err
		},
		"another role": func(tx *store.Tx, a store.Access) error {
			_, err := tx.SetRole(t.Context(), a.User.Email, store.RoleReader)
			return err
		},
		"another password": func(tx *store.Tx, a store.Access) error {
			_, err := tx.SetPassword(t.Context(), a.User.Email, "another hash")
			return err
		},
		"logged out": func(tx *store.Tx, a store.Access) error {
			return tx.RevokeToken(t.Context(), a.TokenID, f.Clock().Add(time.Hour))
		},
	} {
		changed := f
		changed.access = storetest.Access(t, f.Store, f.program)
		commit(t, f.Store, func(tx *store.Tx) error { return change(tx, changed.access) })
		results := f.together(t, nil,
			func() created { return changed.create(t.Context(), f.terms(t), f.key(name, "")) },
			func() created { return f.create(t.Context(), f.terms(t), f.key(name, "")) },
		)
		if !errors.Is(results[0].err, store.ErrAccessChanged) || results[1].err != nil {
			t.Errorf("%s: %v; another user beside: %v", name, results[0].err, results[1].err)
		}
		if replay := changed.create(t.Context(), f.terms(t), f.key(name, "")); !errors.Is(replay.err, store.ErrAccessChanged) {
			t.Errorf("%s, a replay: %+v", name, replay)
		}
		if _, err := f.FindTask(t.Context(), changed.access, task.ID); !errors.Is(err, store.ErrAccessChanged) {
			t.Errorf("%s, a poll: %v", name, err)
		}
	}
}

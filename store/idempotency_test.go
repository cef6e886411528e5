package store_test

import (
	"errors"
	"testing"

	"giftcards/store"
)

// TestAKeyDoesNotShowItsAnswerToADeactivatedUser: Once finds an answer under the key, but the
// user was deactivated after the access was read.
func TestAKeyDoesNotShowItsAnswerToADeactivatedUser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ran := 0
	once := func() (store.Answer, error) {
		return store.Once(t.Context(), f.Store, f.access, f.key("k", "same"), func(*store.Tx) (store.Answer, error) {
			ran++
			return store.Answer{Status: 201, Body: []byte(`{"of":"the first"}`)}, nil
		})
	}
	_, err := once()
	must(t, err)
	if again, err := once(); err != nil || !again.Replayed || string(again.Body) != `{"of":"the first"}` || ran != 1 {
		t.Errorf("the retry: %s, %v; the effect ran %d times", again.Body, err, ran)
	}
	commit(t, f.Store, func(tx *store.Tx) error {
		_, err := tx.SetActive(t.Context(), f.access.User.Email, false)
		return err
	})
	if again, err := once(); !errors.Is(err, store.ErrAccessChanged) || again.Body != nil || ran != 1 {
		t.Errorf("after the user was deactivated: %s, %v; the effect ran %d times", again.Body, err, ran)
	}
}

package store_test

import (
	"testing"

	"giftcards/store"
	"giftcards/store/keyring"
)

func (f fixture) keyUses(t *testing.T) map[uint32]int64 {
	t.Helper()
	return write(t, f.Store, func(tx *store.Tx) (map[uint32]int64, error) { return tx.KeyUses(t.Context()) })
}

// saveKeyUses saves the counts of seals, and fails unless the newest key has want seals.
func (f fixture) saveKeyUses(t *testing.T, want int64) {
	t.Helper()
	newest, err := f.SaveKeyUses(t.Context())
	must(t, err)
	if uses := f.keyUses(t); newest != want || uses[f.CodeKey()] != want {
		t.Errorf("%d seals of the newest key (%v), want %d", newest, uses, want)
	}
}

// TestEverySealCountsForItsKey, on all servers, also when codes are sealed again, and across a
// rotation.
func TestEverySealCountsForItsKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.saveKeyUses(t, 0)
	f.issue(t, 6) // and one of another program
	f.saveKeyUses(t, 7)
	f.saveKeyUses(t, 7) // nothing is counted twice
	other := f.reopened(t, f.keyFile)
	other.issue(t, 2)
	other.saveKeyUses(t, 10)

	before := f.CodeKey()
	must(t, keyring.Rotate(f.keyFile))
	rotated := f.reopened(t, f.keyFile)
	rotated.issue(t, 1)
	rotated.saveKeyUses(t, 2)
	rotated.resealAll(t, 100) // begins
	rotated.resealAll(t, 100) // everything that the older key sealed
	rotated.saveKeyUses(t, 12)
	if got := rotated.keyUses(t)[before]; got != 10 {
		t.Errorf("%d seals of the key before, want 10", got)
	}
}

func TestSealsThatCannotBeSavedCountLater(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 3)
	_, err := f.Pool().Exec(t.Context(), "alter table key_uses rename to away")
	must(t, err)
	if _, err := f.SaveKeyUses(t.Context()); err == nil {
		t.Error("saved without a table")
	}
	_, err = f.Pool().Exec(t.Context(), "alter table away rename to key_uses")
	must(t, err)
	f.saveKeyUses(t, 4)
}

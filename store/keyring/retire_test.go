package keyring_test

import (
	"errors"
	"testing"

	"giftcards/store/keyring"
)

func TestRetiringRefusesWhatOldKeysMadeAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	before := makeAll(t, ring)
	old := ring.CodeKey()
	rotate(t, path)
	fresh := open(t, path)
	after := makeAll(t, fresh)
	if !keyring.SealedWith(before.sealed, old) || keyring.SealedWith(after.sealed, old) || !keyring.SealedWith(after.sealed, fresh.CodeKey()) ||
		keyring.SealedWith(nil, old) || !fresh.HasCodeKey(old) || ring.HasCodeKey(0) {
		t.Error("codes do not say with which key they are sealed")
	}
	if err := keyring.Retire(path, old); !errors.Is(err, keyring.ErrNotNewest) {
		t.Errorf("retiring by a key that is not the newest: %v", err)
	}
	if list, err := keyring.List(path); err != nil || len(list) != 6 {
		t.Errorf("after a refusal: %v %v", list, err)
	}
	if err := keyring.Retire(path, fresh.CodeKey()); err != nil {
		t.Fatal(err)
	}
	list, err := keyring.List(path)
	if err != nil || len(list) != 3 {
		t.Errorf("after retiring: %v %v", list, err)
	}
	for i, key := range list {
		if key.Keyset != keyring.Keysets[i] || !key.Newest {
			t.Errorf("key %+v", key)
		}
	}
	retired := open(t, path)
	if err := accepts(retired, after); err != nil {
		t.Errorf("what the newest keys made: %v", err)
	}
	if _, err := retired.Unseal(before.sealed, cardID); err == nil || retired.HasCodeKey(old) {
		t.Error("a code of a retired key opens")
	}
	if _, err := keyring.List(path + "-not"); err == nil {
		t.Error("no file has keys")
	}
}

package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"giftcards/store/keyring"
)

func TestRetiringEndsEverythingThatOldKeysMadeAndNothingElse(t *testing.T) {
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
	// A wrong newest key changes nothing.
	if err := keyring.Retire(path, keyring.Keysets, old); !errors.Is(err, keyring.ErrNotNewest) {
		t.Errorf("retiring by a key that is not the newest: %v", err)
	}
	if list, err := keyring.List(path); err != nil || len(list) != 6 {
		t.Errorf("after a refusal: %v %v", list, err)
	}
	if err := keyring.Retire(path, keyring.Keysets, fresh.CodeKey()); err != nil {
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

func TestRetiringSomeKeysetsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	before := makeAll(t, ring)
	rotate(t, path)
	must(t, keyring.Retire(path, []string{keyring.TokensKeyset, keyring.CodesKeyset}, open(t, path).CodeKey()))
	retired := open(t, path)
	_, codeErr := retired.Unseal(before.sealed, cardID)
	_, tokenErr := retired.VerifyToken(before.token, noon)
	_, linkErr := retired.VerifyLink(before.link)
	if codeErr == nil || tokenErr == nil || linkErr != nil {
		t.Errorf("code %v, token %v, link %v", codeErr, tokenErr, linkErr)
	}
	if list, err := keyring.List(path); err != nil || len(list) != 4 {
		t.Errorf("keys %v, %v", list, err)
	}
}

// TestRenewedKeysEndTokensAndLinksOfTheOldKeys within a second, on every instance that has the
// file open, also a token that the instance has verified before. Nothing else ends.
func TestRenewedKeysEndTokensAndLinksOfTheOldKeys(t *testing.T) {
	t.Parallel()
	oldest, path := create(t)
	first := makeAll(t, oldest)
	rotate(t, path)
	running := open(t, path)
	var uptime time.Duration
	running.SetUptime(func() time.Duration { return uptime })
	second := makeAll(t, running)
	must(t, accepts(running, first))
	must(t, accepts(running, second))

	must(t, keyring.Renew(path, []string{keyring.TokensKeyset}))
	uptime += time.Second
	for name, old := range map[string]made{"before a rotation": first, "after it": second} {
		if _, err := running.VerifyToken(old.token, noon); !errors.Is(err, keyring.ErrTokenRefused) {
			t.Errorf("a token from %s: %v", name, err)
		}
		if _, err := running.VerifyLink(old.link); err != nil {
			t.Errorf("a link from %s: %v", name, err)
		}
	}
	third := makeAll(t, running)
	must(t, keyring.Renew(path, []string{keyring.LinksKeyset, keyring.TokensKeyset}))
	uptime += time.Second
	for name, old := range map[string]made{"the first": first, "the second": second, "the third": third} {
		_, tokenErr := running.VerifyToken(old.token, noon)
		_, linkErr := running.VerifyLink(old.link)
		if _, err := running.Unseal(old.sealed, cardID); err != nil || tokenErr == nil || linkErr == nil {
			t.Errorf("of %s: code %v, token %v, link %v", name, err, tokenErr, linkErr)
		}
	}
	must(t, accepts(running, makeAll(t, running)))
}

// TestKeysOfCodesAreNotRenewed, neither alone nor together with others, because the codes that
// they sealed would never open again.
func TestKeysOfCodesAreNotRenewed(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	before, err := os.ReadFile(path)
	must(t, err)
	if err := keyring.Renew(path, keyring.Keysets); !errors.Is(err, keyring.ErrCodesSealed) {
		t.Errorf("all of them: %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

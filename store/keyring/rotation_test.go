package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"giftcards/store/keyring"
)

// made has a sealed code, a token and a link that a ring made.
type made struct {
	sealed      []byte
	token, link string
}

func makeAll(t testing.TB, ring *keyring.Ring) made {
	t.Helper()
	return made{sealed: seal(t, ring, "012345"), token: sign(t, ring, someClaims()), link: ring.SignLink([]byte("payload"))}
}

// accepts returns an error for each part of m that the ring refuses.
func accepts(ring *keyring.Ring, m made) error {
	_, codeErr := ring.Unseal(m.sealed, cardID)
	_, tokenErr := ring.VerifyToken(m.token, noon)
	_, linkErr := ring.VerifyLink(m.link)
	return errors.Join(codeErr, tokenErr, linkErr)
}

// keyOf returns the keys that made m, as the first 5 bytes, which Tink writes for the key.
func keyOf(t testing.TB, m made) [3]string {
	t.Helper()
	return [3]string{string(m.sealed[:5]), part(t, m.token, 0)["kid"].(string), m.link[:6]}
}

func TestRotationKeepsOldKeysAndUsesNewOnes(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	before := makeAll(t, ring)
	rotate(t, path)
	fresh := open(t, path)
	after := makeAll(t, fresh)
	oldKeys, newKeys := keyOf(t, before), keyOf(t, after)
	for i := range oldKeys {
		if oldKeys[i] == newKeys[i] {
			t.Errorf("kind %d is still made with key %x", i, oldKeys[i])
		}
	}
	if err := accepts(fresh, before); err != nil {
		t.Errorf("what was made before the rotation: %v", err)
	}
	if err := accepts(fresh, after); err != nil {
		t.Errorf("what was made after it: %v", err)
	}
}

func TestAnotherInstanceAcceptsTheNewKeysAtOnce(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	for name, accept := range map[string]func(*keyring.Ring, made) error{
		"code":  func(r *keyring.Ring, m made) error { _, err := r.Unseal(m.sealed, cardID); return err },
		"token": func(r *keyring.Ring, m made) error { _, err := r.VerifyToken(m.token, noon); return err },
		"link":  func(r *keyring.Ring, m made) error { _, err := r.VerifyLink(m.link); return err },
	} {
		other := open(t, path)
		other.SetUptime(func() time.Duration { return 0 }) // never time to look by itself
		for range 3 {                                      // also right after it has looked
			rotate(t, path)
			if err := accept(other, makeAll(t, open(t, path))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestEveryInstanceUsesTheNewKeysWithinASecond(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	var uptime time.Duration
	ring.SetUptime(func() time.Duration { return uptime })
	first := keyOf(t, makeAll(t, ring))
	rotate(t, path)
	uptime = time.Second - 1
	if keyOf(t, makeAll(t, ring)) != first {
		t.Error("the file is looked at more often than once a second")
	}
	uptime = time.Second
	second := keyOf(t, makeAll(t, ring))
	if second == first || second != keyOf(t, makeAll(t, open(t, path))) {
		t.Error("after a second it still uses the old keys")
	}
	rotate(t, path)
	uptime = 2*time.Second - 1
	if keyOf(t, makeAll(t, ring)) != second {
		t.Error("the file is looked at more often than once a second")
	}
	uptime = 2 * time.Second
	if keyOf(t, makeAll(t, ring)) == second {
		t.Error("after another second it still uses the old keys")
	}
}

func TestConcurrentRotationsLoseNoKeyAndRefuseNobody(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	const rotations, users = 6, 4
	var all sync.Map
	var group sync.WaitGroup
	for range rotations {
		group.Go(func() {
			if err := keyring.Rotate(path); err != nil {
				t.Error(err)
			}
			ring, err := keyring.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			m := makeAll(t, ring)
			all.Store(m.link, m)
		})
	}
	for range users {
		group.Go(func() {
			for range 50 {
				m := makeAll(t, ring)
				all.Store(m.link, m)
				all.Range(func(_, m any) bool {
					if err := accepts(ring, m.(made)); err != nil {
						t.Error(err)
					}
					return true
				})
			}
		})
	}
	// No rotation may overwrite another one's keys.
	group.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if keys := bytes.Count(data, []byte(`"value"`)); keys != 3*(1+rotations) {
		t.Errorf("%d keys, want %d", keys, 3*(1+rotations))
	}
	fresh := open(t, path)
	all.Range(func(_, m any) bool {
		if err := accepts(fresh, m.(made)); err != nil {
			t.Error(err)
		}
		return true
	})
}

func TestRingGoesOnWhenItsFileIsBrokenAndSaysSo(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	var uptime time.Duration
	ring.SetUptime(func() time.Duration { uptime += time.Second; return uptime })
	before := makeAll(t, ring)
	aside := filepath.Join(t.TempDir(), "aside.json")
	for name, breakIt := range map[string]func() error{
		"missing":   func() error { return nil },
		"damaged":   func() error { return os.WriteFile(path, []byte("{"), 0o600) },
		"too open":  func() error { return errors.Join(os.WriteFile(path, []byte("{"), 0o600), os.Chmod(path, 0o644)) },
		"not there": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := ring.Err(); err != nil { // also right after the file is mended, unused
			t.Fatalf("before %s: %v", name, err)
		}
		if err := errors.Join(os.Rename(path, aside), breakIt()); err != nil {
			t.Fatal(err)
		}
		// With a broken file, the ring keeps the keys that it has.
		if err := accepts(ring, before); err != nil {
			t.Errorf("%s: what was made before: %v", name, err)
		}
		if err := accepts(ring, makeAll(t, ring)); err != nil {
			t.Errorf("%s: what is made now: %v", name, err)
		}
		if ring.Err() == nil {
			t.Errorf("%s: the ring does not say so", name)
		}
		if err := errors.Join(os.RemoveAll(path), os.Rename(aside, path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ring.Err(); err != nil {
		t.Errorf("after all is mended: %v", err)
	}
}

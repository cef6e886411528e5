package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"giftcards/store/keyring"
)

// OldKeysNeeded says in a sentence what still needs the old keys of the keysets, nil if
// nothing does. keys are those of the file, and state is how far codes are sealed anew.
// Codes are sealed anew some time after a rotation. Tokens and links outlive it by their
// lifetimes, counted from when a server first used the newest keys, because it made
// them with the old ones until then.
func OldKeysNeeded(keys []keyring.Key, keysets []string, state *Resealing, tokenLifetime, linkLifetime time.Duration, now time.Time) error {
	old := func(keyset string) bool {
		return slices.Contains(keysets, keyset) &&
			slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Keyset == keyset && !k.Newest })
	}
	switch {
	case !slices.ContainsFunc(keysets, old):
		return errors.New("there are no old keys")
	case state == nil || state.KeyID != int64(NewestCodeKey(keys)):
		return errors.New("no server has begun to use the newest keys: one with this key file must run, and takes a few seconds")
	case old(keyring.CodesKeyset) && state.FinishedAt == nil:
		return fmt.Errorf("codes are being sealed anew (%d so far), which takes 20 minutes at least: a server must run", state.Resealed)
	}
	for _, kind := range []struct {
		keyset, name string
		lifetime     time.Duration
	}{{keyring.TokensKeyset, "logins", tokenLifetime}, {keyring.LinksKeyset, "CSV links", linkLifetime}} {
		if until := state.FirstSeenAt.Add(kind.lifetime); old(kind.keyset) && now.Before(until) {
			return fmt.Errorf("%s from before the rotation last until %s", kind.name, until.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// NewestCodeKey is the key that codes are sealed with, of the keys of a file; 0 if
// there is none.
func NewestCodeKey(keys []keyring.Key) uint32 {
	for _, key := range keys {
		if key.Keyset == keyring.CodesKeyset && key.Newest {
			return key.ID
		}
	}
	return 0
}

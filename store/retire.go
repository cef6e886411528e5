package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"giftcards/store/keyring"
)

// OldKeysNeeded returns an error, a sentence for the operator, if something still needs the
// old keys of the keysets. keys are the keys of the file, and state is the progress of
// resealing. Codes need old keys until all are sealed with the newest key. Tokens and links need
// them for their lifetimes. These count from the moment at which a server first used the newest
// keys, because until then servers made tokens and links with the old ones.
func OldKeysNeeded(keys []keyring.Key, keysets []string, state *Resealing, tokenLifetime, linkLifetime time.Duration, now time.Time) error {
	old := func(keyset string) bool {
		return slices.Contains(keysets, keyset) &&
			slices.ContainsFunc(keys, func(k keyring.Key) bool { return k.Keyset == keyset && !k.Newest })
	}
	switch {
	case !slices.ContainsFunc(keysets, old):
		return errors.New("there are no old keys")
	// Until then there is no FirstSeenAt of these keys, from which the lifetimes below are counted.
	case state == nil || state.KeyID != int64(NewestCodeKey(keys)):
		return errors.New("no server has begun to use the newest keys: one with this key file must run, and takes a few seconds")
	case old(keyring.CodesKeyset) && state.FinishedAt == nil:
		return fmt.Errorf("codes are being resealed (%d so far), which takes 20 minutes at least: a server must run", state.Resealed)
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

// NewestCodeKey returns the id of the key that seals codes, 0 if keys has none.
func NewestCodeKey(keys []keyring.Key) uint32 {
	for _, key := range keys {
		if key.Keyset == keyring.CodesKeyset && key.Newest {
			return key.ID
		}
	}
	return 0
}

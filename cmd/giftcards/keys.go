package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"giftcards/store"
	"giftcards/store/keyring"
)

type keysCommand struct {
	List   listKeys   `cmd:"" help:"List the keys, how many codes each key of codes has sealed, and how many are resealed with the newest one."`
	Rotate rotateKeys `cmd:"" help:"Add a new key of each kind; old keys still open the codes, links and tokens made with them."`
	Retire retireKeys `cmd:"" help:"Remove old keys; refuses while something still needs them. With --now, replace all keys of tokens or links at once."`
}

type (
	listKeys   struct{}
	rotateKeys struct{}
	retireKeys struct {
		Only []string `enum:"codes,links,tokens" placeholder:"KIND" help:"Only keys of these kinds: codes, tokens or links, separated by commas. Default: all three."`
		Now  bool     `help:"With --only=tokens or links: replace all keys of that kind by a new one at once, which ends every token or CSV link made so far."`
	}
)

type printedKeys struct {
	Keys      []printedKey      `json:"keys"`
	Resealing *printedResealing `json:"resealing"` // null before the first server ran
	Retirable bool              `json:"retirable"`
	Because   string            `json:"because,omitempty"` // the reason if they are not retirable
}

type printedKey struct {
	keyring.Key
	Sealed *int64 `json:"sealed,omitempty"` // number of codes sealed so far; only for keys of codes
}

type printedResealing struct {
	Key        int64      `json:"key"`
	Since      time.Time  `json:"since"`
	Resealed   int64      `json:"resealed"`
	FinishedAt *time.Time `json:"finishedAt"`
}

func (listKeys) Run(s *session) error {
	keys, err := keyring.List(s.config.KeysFile)
	if err != nil {
		return err
	}
	return printRead(s, func(tx *store.Tx) (printedKeys, error) {
		uses, err := tx.KeyUses(s)
		if err != nil {
			return printedKeys{}, err
		}
		var printed printedKeys
		for _, key := range keys {
			one := printedKey{Key: key}
			if key.Keyset == keyring.CodesKeyset {
				sealed := uses[key.ID]
				one.Sealed = &sealed
			}
			printed.Keys = append(printed.Keys, one)
		}
		state, err := tx.Resealing(s)
		if err != nil {
			return printedKeys{}, err
		}
		// The first server that runs creates the state.
		if state != nil {
			printed.Resealing = &printedResealing{Key: state.KeyID, Since: state.FirstSeenAt.UTC(), Resealed: state.Resealed}
			if state.FinishedAt != nil {
				finished := state.FinishedAt.UTC()
				printed.Resealing.FinishedAt = &finished
			}
		}
		// The list tells whether the command `keys retire`, without flags, would succeed now.
		if fault := s.whyOldKeysStay(keys, keyring.Keysets, state, tx.Now()); fault != nil {
			printed.Because = fault.Error()
		} else {
			printed.Retirable = true
		}
		return printed, nil
	})
}

func (rotateKeys) Run(s *session) error {
	return s.withStore(func(st *store.Store) error {
		err := store.Do(s, st, func(tx *store.Tx) error {
			// The entry comes first, so an error of its own leaves the file as it is. It is lost only if the
			// commit fails after the file has changed.
			if err := s.audit(tx, store.AuditEntry{Operation: "keys rotate"}); err != nil {
				return err
			}
			return keyring.Rotate(s.config.KeysFile)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.stdout, "%s has a new key of each kind. Running servers use the new keys within two seconds; then they reseal all codes, which takes at least 20 minutes\n", s.config.KeysFile)
		return err
	})
}

func (c retireKeys) Run(s *session) error {
	keysets, err := c.keysets()
	if err != nil {
		return err
	}
	keys, err := keyring.List(s.config.KeysFile)
	if err != nil {
		return err
	}
	return printWritten(s, func(tx *store.Tx) ([]keyring.Key, error) {
		if !c.Now {
			state, err := tx.Resealing(s)
			if err != nil {
				return nil, err
			}
			if err := s.whyOldKeysStay(keys, keysets, state, tx.Now()); err != nil {
				return nil, err
			}
		}
		if err := s.audit(tx, store.AuditEntry{Operation: c.operation()}); err != nil {
			return nil, err
		}
		// The file changes last, so an earlier error leaves it as it is. The audit entry is
		// lost only if the commit fails afterwards.
		if err := c.change(s.config.KeysFile, keysets, store.NewestCodeKey(keys)); err != nil {
			return nil, err
		}
		return keyring.List(s.config.KeysFile)
	})
}

// keysets returns the keysets that the command changes.
func (c retireKeys) keysets() ([]string, error) {
	switch {
	case c.Now && slices.Contains(c.Only, keyring.CodesKeyset):
		return nil, keyring.ErrCodesSealed
	case c.Now && len(c.Only) == 0:
		return nil, errors.New("--now needs --only=tokens, --only=links, or --only=tokens,links: the keys of codes cannot be removed at once")
	case len(c.Only) == 0:
		return keyring.Keysets, nil
	}
	return c.Only, nil
}

// operation is the command's name in the audit log.
func (c retireKeys) operation() string {
	operation := "keys retire"
	if len(c.Only) > 0 {
		operation += " --only=" + strings.Join(c.Only, ",")
	}
	if c.Now {
		operation += " --now"
	}
	return operation
}

func (c retireKeys) change(file string, keysets []string, codeKey uint32) error {
	if c.Now {
		return keyring.Renew(file, keysets)
	}
	return keyring.Retire(file, keysets, codeKey)
}

// whyOldKeysStay is store.OldKeysNeeded with the lifetimes of the settings.
func (s *session) whyOldKeysStay(keys []keyring.Key, keysets []string, state *store.Resealing, now time.Time) error {
	return store.OldKeysNeeded(keys, keysets, state, s.config.TokenLifetime, s.config.LinkLifetime, now)
}

package main

import (
	"errors"
	"fmt"
	"time"

	"giftcards/store"
	"giftcards/store/keyring"
)

type keysCommand struct {
	List   listKeys   `cmd:"" help:"List the keys, how many codes each has sealed, and how far codes are sealed anew with the newest."`
	Rotate rotateKeys `cmd:"" help:"Add a new key of each kind; the old ones go on opening what they closed."`
	Retire retireKeys `cmd:"" help:"Remove the old keys, once nothing needs them any more."`
}

type (
	listKeys   struct{}
	rotateKeys struct{}
	retireKeys struct{}
)

type printedKeys struct {
	Keys      []printedKey      `json:"keys"`
	Resealing *printedResealing `json:"resealing"` // null before the first server ran
	Retirable bool              `json:"retirable"`
	Because   string            `json:"because,omitempty"` // why not
}

type printedKey struct {
	keyring.Key
	Sealed *int64 `json:"sealed,omitempty"` // codes, so far; of keys for codes
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
		if state != nil {
			printed.Resealing = &printedResealing{Key: state.KeyID, Since: state.FirstSeenAt.UTC(), Resealed: state.Resealed}
			if state.FinishedAt != nil {
				finished := state.FinishedAt.UTC()
				printed.Resealing.FinishedAt = &finished
			}
		}
		if fault := s.retireFault(keys, state, tx.Now()); fault != nil {
			printed.Because = fault.Error()
		} else {
			printed.Retirable = true
		}
		return printed, nil
	})
}

func (rotateKeys) Run(s *session) error {
	return s.withStore(func(st *store.Store) error {
		_, err := store.Write(s, st, func(tx *store.Tx) (struct{}, error) {
			if err := s.audit(tx, store.AuditEntry{Operation: "keys rotate"}); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, keyring.Rotate(s.config.KeysFile)
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.stdout, "%s has a new key of each kind; running servers use them within a second or two, and seal all codes anew\n", s.config.KeysFile)
		return err
	})
}

func (retireKeys) Run(s *session) error {
	keys, err := keyring.List(s.config.KeysFile)
	if err != nil {
		return err
	}
	return printWritten(s, func(tx *store.Tx) ([]keyring.Key, error) {
		state, err := tx.Resealing(s)
		if err != nil {
			return nil, err
		}
		if err := s.retireFault(keys, state, tx.Now()); err != nil {
			return nil, err
		}
		if err := s.audit(tx, store.AuditEntry{Operation: "keys retire"}); err != nil {
			return nil, err
		}
		if err := keyring.Retire(s.config.KeysFile, newestCodeKey(keys)); err != nil {
			return nil, err
		}
		return keyring.List(s.config.KeysFile)
	})
}

func newestCodeKey(keys []keyring.Key) uint32 {
	for _, key := range keys {
		if key.Keyset == keyring.CodesKeyset && key.Newest {
			return key.ID
		}
	}
	return 0
}

// retireFault says what still needs the old keys: codes; or tokens and links that
// were given before the rotation, or by a server that had yet to see it.
func (s *session) retireFault(keys []keyring.Key, state *store.Resealing, now time.Time) error {
	switch {
	case len(keys) == len(keyring.Keysets):
		return errors.New("there are no old keys")
	case state == nil || state.KeyID != int64(newestCodeKey(keys)):
		return errors.New("no server has begun to seal codes with the newest key: one with this key file must run, and takes a few seconds")
	case state.FinishedAt == nil:
		return fmt.Errorf("codes are being sealed anew (%d so far), which takes 20 minutes at least: a server must run", state.Resealed)
	}
	if until := state.FirstSeenAt.Add(max(s.config.TokenLifetime, s.config.LinkLifetime)); now.Before(until) {
		return fmt.Errorf("logins and CSV links from before the rotation last until %s", until.UTC().Format(time.RFC3339))
	}
	return nil
}

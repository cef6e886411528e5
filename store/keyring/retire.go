package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Key is one key of the file, without its secret.
type Key struct {
	Keyset string `json:"keyset"` // codes, links or tokens
	ID     uint32 `json:"id"`
	Newest bool   `json:"newest"` // seals and signs from now on
}

// List returns the keys of the file at path, by keyset.
func List(path string) ([]Key, error) {
	current, err := load(path, nil)
	if err != nil {
		return nil, err
	}
	var list []Key
	for _, name := range Keysets {
		info := current.handles[name].KeysetInfo()
		for _, key := range info.GetKeyInfo() {
			list = append(list, Key{Keyset: name, ID: key.GetKeyId(), Newest: key.GetKeyId() == info.GetPrimaryKeyId()})
		}
	}
	return list, nil
}

// ErrNotNewest is the error for a key file with another newest key for codes than expected.
var ErrNotNewest = errors.New("the keys were rotated meanwhile")

// Retire removes all keys except the newest from each of the keysets. Codes, links and
// tokens made with the removed keys are refused for ever. It fails with ErrNotNewest,
// wrapped, if the file's newest key for codes is not codeKey.
func Retire(path string, keysets []string, codeKey uint32) error {
	err := replace(path, func(current map[string]*keyset.Handle) (map[string]*keyset.Handle, error) {
		// If the keys were rotated after the caller's check, its newest key is an old one now.
		if current[CodesKeyset].KeysetInfo().GetPrimaryKeyId() != codeKey {
			return nil, ErrNotNewest
		}
		return changed(current, keysets, newestOnly)
	})
	if err != nil {
		return fmt.Errorf("retire keys: %w", err)
	}
	return nil
}

// ErrCodesSealed is the error for an attempt to renew the keys of codes.
var ErrCodesSealed = errors.New("the keys of codes cannot be removed at once, because codes in the database are sealed with them: use giftcards keys rotate, wait until keys list says that all codes are resealed, and then keys retire")

// Renew replaces all keys of each of the keysets by a new one. Links and tokens made with
// the old keys are refused for ever. A Ring in use refuses them within a second, and an idle
// one at its next use. If one of the keysets is that of codes, Renew fails with
// ErrCodesSealed and changes nothing.
func Renew(path string, keysets []string) error {
	if slices.Contains(keysets, CodesKeyset) {
		return ErrCodesSealed
	}
	err := replace(path, func(current map[string]*keyset.Handle) (map[string]*keyset.Handle, error) {
		return changed(current, keysets, func(name string, _ *keyset.Handle) (*keyset.Handle, error) {
			return withNewPrimary(nil, templates[name]())
		})
	})
	if err != nil {
		return fmt.Errorf("renew keys: %w", err)
	}
	return nil
}

// changed returns current after it has applied change to the keysets in names.
func changed(current map[string]*keyset.Handle, names []string, change func(name string, handle *keyset.Handle) (*keyset.Handle, error)) (map[string]*keyset.Handle, error) {
	return eachKeyset(func(name string) (*keyset.Handle, error) {
		if !slices.Contains(names, name) {
			return current[name], nil
		}
		return change(name, current[name])
	})
}

func newestOnly(_ string, handle *keyset.Handle) (*keyset.Handle, error) {
	manager, info := keyset.NewManagerFromHandle(handle), handle.KeysetInfo()
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			continue
		}
		if err := manager.Delete(key.GetKeyId()); err != nil {
			return nil, err
		}
	}
	return manager.Handle()
}

// CodeKey returns the id of the key that seals codes now.
func (r *Ring) CodeKey() uint32 {
	return r.keys().codeKey
}

// HasCodeKey reports whether the ring has the key for codes with this id, as its newest or
// as an older one.
func (r *Ring) HasCodeKey(key uint32) bool {
	return slices.ContainsFunc(r.keys().handles[CodesKeyset].KeysetInfo().GetKeyInfo(),
		func(info *tinkpb.KeysetInfo_KeyInfo) bool { return info.GetKeyId() == key })
}

// SealedWith reports whether a code was sealed with the key. Tink writes the key's id before
// the sealed code.
func SealedWith(sealed []byte, key uint32) bool {
	return len(sealed) > 5 && sealed[0] == 1 && binary.BigEndian.Uint32(sealed[1:5]) == key
}

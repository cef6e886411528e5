package keyring

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/jwt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// The names of the keysets in a key file: for security codes, bearer tokens and download
// links.
const (
	CodesKeyset  = "codes"
	TokensKeyset = "tokens"
	LinksKeyset  = "links"
)

// Keysets are the names of all keysets.
var Keysets = []string{CodesKeyset, LinksKeyset, TokensKeyset}

// templates are the kinds of new keys by keyset.
var templates = map[string]func() *tinkpb.KeyTemplate{
	CodesKeyset:  aead.AES256GCMKeyTemplate,
	TokensKeyset: jwt.HS256Template,
	LinksKeyset:  mac.HMACSHA256Tag128KeyTemplate,
}

func decode(data []byte) (map[string]*keyset.Handle, error) {
	var encoded map[string]json.RawMessage
	if err := json.Unmarshal(data, &encoded); err != nil {
		return nil, err
	}
	// A newer version may have added a keyset. A change by this version would drop it.
	if len(encoded) != len(templates) {
		return nil, errors.New("wrong number of keysets")
	}
	handles := map[string]*keyset.Handle{}
	for name := range templates {
		handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(encoded[name])))
		if err != nil {
			return nil, err
		}
		handles[name] = handle
	}
	return handles, nil
}

// rotated returns the keysets, or new ones for nil, with a new primary key in each.
func rotated(handles map[string]*keyset.Handle) (map[string]*keyset.Handle, error) {
	return eachKeyset(func(name string) (*keyset.Handle, error) { return withNewPrimary(handles[name], templates[name]()) })
}

func eachKeyset(build func(name string) (*keyset.Handle, error)) (map[string]*keyset.Handle, error) {
	handles := map[string]*keyset.Handle{}
	for name := range templates {
		handle, err := build(name)
		if err != nil {
			return nil, err
		}
		handles[name] = handle
	}
	return handles, nil
}

// withNewPrimary returns handle, or an empty keyset for nil, with a new primary key.
func withNewPrimary(handle *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
	manager := keyset.NewManager()
	if handle != nil {
		manager = keyset.NewManagerFromHandle(handle)
	}
	id, err := manager.Add(template)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	return manager.Handle()
}

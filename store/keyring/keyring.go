// Package keyring owns the server's secret keys, one file of three Tink keysets:
// it seals security codes, signs bearer tokens, and signs download links.
// It must not know what a token may do nor where a link leads, and nothing
// outside sees a key. Servers on several instances share the file, or a copy of
// it that changes at once: see Ring.
package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/jwt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrLinkRefused means that a link was not signed with a key of this ring.
var ErrLinkRefused = errors.New("link refused")

// lookEvery is how long a Ring may use its keys before it looks for newer ones.
const lookEvery = time.Second

// Ring holds the keys of one file, and follows rotations without a restart. It looks at the
// file every second while in use, so that it seals and signs with the newest key. It also
// looks before it refuses anything, because another instance may have used a newer key. If
// the file cannot be read any more, it goes on with the keys that it has, and Err returns
// the reason. It is safe for concurrent use and prints no secret.
type Ring struct {
	path   string
	uptime func() time.Duration
	looked atomic.Int64 // uptime of the last look at the file

	current atomic.Pointer[keys]
	looking sync.Mutex
	failure error // of the last look, guarded by looking

	uses uses
}

// keys are the keysets of one version of the file, ready for use.
type keys struct {
	version  fs.FileInfo
	handles  map[string]*keyset.Handle
	codeKey  uint32 // seals codes
	codes    tink.AEAD
	tokens   jwt.MAC
	links    tink.MAC
	verified *lru.Cache[[sha256.Size]byte, Claims] // by the digest of the token
}

// Open reads the key file at path. It fails with an fs.ErrNotExist if there is none. It
// refuses a file that belongs to another user than root, that its group or others may read
// or write, that others could replace, or that is not a complete key file.
func Open(path string) (*Ring, error) {
	current, err := load(path, nil)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	ring := &Ring{path: path, uptime: func() time.Duration { return time.Since(start) }}
	ring.current.Store(current)
	return ring, nil
}

// OpenOrCreate opens the key file at path, or creates it if there is none. It does not change
// a file that Open refuses for another reason.
func OpenOrCreate(path string) (*Ring, error) {
	ring, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	ring, err = Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Open(path) // another instance was faster
	}
	return ring, err
}

// newKeys returns the keys of the keysets, ready for use.
func newKeys(handles map[string]*keyset.Handle, version fs.FileInfo) (*keys, error) {
	codes, codesErr := aead.New(handles[CodesKeyset])
	tokens, tokensErr := jwt.NewMAC(handles[TokensKeyset])
	links, linksErr := mac.New(handles[LinksKeyset])
	verified, verifiedErr := lru.New[[sha256.Size]byte, Claims](maxVerified)
	if err := errors.Join(codesErr, tokensErr, linksErr, verifiedErr); err != nil {
		return nil, err
	}
	return &keys{
		version: version, handles: handles, codeKey: handles[CodesKeyset].KeysetInfo().GetPrimaryKeyId(),
		codes: codes, tokens: tokens, links: links, verified: verified,
	}, nil
}

// Seal encrypts the security code of the card with this id; only Unseal with the
// same id opens it.
func (r *Ring) Seal(code string, cardID []byte) ([]byte, error) {
	if len(cardID) == 0 {
		return nil, errors.New("seal security code: no card id")
	}
	current := r.keys()
	sealed, err := current.codes.Encrypt([]byte(code), cardID)
	if err != nil {
		return nil, fmt.Errorf("seal security code: %w", err)
	}
	r.uses.add(current.codeKey, 1)
	return sealed, nil
}

// Unseal decrypts a security code that Seal encrypted for the card with this id.
func (r *Ring) Unseal(sealed, cardID []byte) (string, error) {
	code, err := open(r, func(k *keys) ([]byte, error) { return k.codes.Decrypt(sealed, cardID) })
	if err != nil {
		return "", fmt.Errorf("unseal security code: %w", err)
	}
	return string(code), nil
}

// SignLink returns payload with a signature, in characters that need no escaping
// in a URL. Anyone can read the payload; its purpose and its expiry must be part of it.
func (r *Ring) SignLink(payload []byte) string {
	tag, err := r.keys().links.ComputeMAC(payload)
	if err != nil {
		panic(fmt.Sprintf("HMAC over bytes failed: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(append(tag, payload...))
}

// linkTagSize is the length of a link's signature: Tink's 5 bytes that name the
// key, and HMAC-SHA256 cut to 128 bits.
const linkTagSize = 5 + 16

// VerifyLink returns the payload that SignLink signed, or ErrLinkRefused. Each
// link has one spelling only.
func (r *Ring) VerifyLink(link string) ([]byte, error) {
	signed, err := base64.RawURLEncoding.DecodeString(link)
	if err != nil || len(signed) < linkTagSize || base64.RawURLEncoding.EncodeToString(signed) != link {
		return nil, ErrLinkRefused
	}
	tag, payload := signed[:linkTagSize], signed[linkTagSize:]
	_, err = open(r, func(k *keys) (struct{}, error) { return struct{}{}, k.links.VerifyMAC(tag, payload) })
	if err != nil {
		return nil, ErrLinkRefused
	}
	return payload, nil
}

// Pseudonym returns 16 hexadecimal digits that stand for a text without revealing it. They
// are the same for the same text on all instances, until the keys are rotated. Without the
// keys nobody can find the text by trying.
func (r *Ring) Pseudonym(text string) string {
	// The keys of links serve for this too: no link has a payload of this length and
	// beginning, and half a tag does not suffice to sign one.
	digest := sha256.Sum256([]byte(text))
	tag, err := r.keys().links.ComputeMAC(append([]byte("pseudonym\x00"), digest[:]...))
	if err != nil {
		panic(fmt.Sprintf("HMAC over bytes failed: %v", err))
	}
	return hex.EncodeToString(tag[linkTagSize-16:][:8])
}

// keys returns the keys to seal and sign with.
func (r *Ring) keys() *keys {
	now, last := r.uptime(), r.looked.Load()
	if now-time.Duration(last) >= lookEvery && r.looked.CompareAndSwap(last, int64(now)) {
		return r.look()
	}
	return r.current.Load()
}

// look reads the file if it has changed; on an error the ring keeps its keys.
func (r *Ring) look() *keys {
	r.looking.Lock()
	defer r.looking.Unlock()
	current := r.current.Load()
	fresh, err := load(r.path, current.version)
	r.failure = err
	if fresh == nil {
		return current
	}
	r.current.Store(fresh)
	return fresh
}

// open tries the ring's keys and, if they fail, the keys that the file has by now.
func open[T any](r *Ring, try func(*keys) (T, error)) (T, error) {
	current := r.keys()
	opened, err := try(current)
	if err != nil {
		if fresh := r.look(); fresh != current {
			return try(fresh)
		}
	}
	return opened, err
}

// Err returns the error of the last attempt to read the file, which was at most a second ago,
// or nil. As long as it is not nil, the ring does not learn of keys that others add.
func (r *Ring) Err() error {
	r.keys() // look again here, because an instance that is not ready gets no requests, and nothing else would
	r.looking.Lock()
	defer r.looking.Unlock()
	return r.failure
}

// String names the ring's file.
func (r *Ring) String() string { return "keyring " + r.path }

// GoString is String, for %#v.
func (r *Ring) GoString() string { return r.String() }

// LogValue is String, for log/slog.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Package keyring owns the server's secret keys, which are three Tink keysets in one file. It
// seals security codes, signs bearer tokens, and signs download links. It does not know the
// rights of a token or the target of a link, and it never gives a key to its callers. All
// instances share the file, or copies of it that change at the same time: see Ring.
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

// lookEvery bounds the time until a ring in use notices a rotation.
const lookEvery = time.Second

// Ring holds the keys of one file and follows rotations without a restart. It reads the file
// again before it refuses anything, so that it accepts at once a token that another instance
// signed with a newer key. It also reads the file every second while it seals, signs or
// verifies, so that it uses the newest keys. If the file becomes unreadable, it keeps its keys,
// and Err returns the reason. It is safe for concurrent use and prints no secret.
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
	codeKey  uint32 // id of the key that seals codes
	codes    tink.AEAD
	tokens   jwt.MAC
	links    tink.MAC
	verified *lru.Cache[[sha256.Size]byte, Claims] // by the token's digest
}

// Open reads the key file at path. It fails if the file is missing (an fs.ErrNotExist), if a
// user other than root and our own owns it, if its group or others may read it, if others
// could replace it, or if it is not a complete key file.
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

// OpenOrCreate opens the key file at path, or creates it if it is missing. It never changes
// a file that Open refuses.
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

// newKeys returns the keys of the keysets with their Tink primitives.
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

// Seal encrypts the security code of the card with this id. Unseal needs the same id.
func (r *Ring) Seal(code string, cardID []byte) ([]byte, error) {
	if len(cardID) == 0 {
		return nil, errors.New("seal security code: no card id")
	}
	current := r.keys()
	sealed, err := current.codes.Encrypt([]byte(code), cardID)
	if err != nil {
		return nil, fmt.Errorf("seal security code: %w", err)
	}
	// AES-GCM limits the number of codes that a key may seal.
	r.uses.add(current.codeKey, 1)
	return sealed, nil
}

// Unseal decrypts a security code that Seal encrypted for the card with this id.
func (r *Ring) Unseal(sealed, cardID []byte) (string, error) {
	// Without a look at the file: a code stays readable with the key that sealed it, and a look
	// costs as much as a third of the decryption.
	code, err := open(r, r.current.Load(), func(k *keys) ([]byte, error) { return k.codes.Decrypt(sealed, cardID) })
	if err != nil {
		return "", fmt.Errorf("unseal security code: %w", err)
	}
	return string(code), nil
}

// SignLink returns payload with a signature, in characters that need no escaping in a URL.
// Anybody can read the payload. The caller must include its purpose and expiry.
func (r *Ring) SignLink(payload []byte) string {
	tag, err := r.keys().links.ComputeMAC(payload)
	if err != nil {
		panic(fmt.Sprintf("HMAC over bytes failed: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(append(tag, payload...))
}

// linkTagSize is the length of a link's signature: 5 bytes of Tink that name the key, and 16
// bytes of HMAC-SHA256.
const linkTagSize = 5 + 16

// VerifyLink returns the payload that SignLink signed, or ErrLinkRefused. It accepts only
// one spelling of a link.
func (r *Ring) VerifyLink(link string) ([]byte, error) {
	// DecodeString ignores some trailing bits, so compare the link with its own encoding.
	signed, err := base64.RawURLEncoding.DecodeString(link)
	if err != nil || len(signed) < linkTagSize || base64.RawURLEncoding.EncodeToString(signed) != link {
		return nil, ErrLinkRefused
	}
	tag, payload := signed[:linkTagSize], signed[linkTagSize:]
	_, err = open(r, r.keys(), func(k *keys) (struct{}, error) { return struct{}{}, k.links.VerifyMAC(tag, payload) })
	if err != nil {
		return nil, ErrLinkRefused
	}
	return payload, nil
}

// Pseudonym returns 16 hexadecimal digits that stand for a text. All instances return the
// same ones for the same text until the keys are rotated. Without the keys nobody can find
// the text by trying.
func (r *Ring) Pseudonym(text string) string {
	hash := r.keyedHash("pseudonym", text)
	return hex.EncodeToString(hash[:])
}

// NumberHash returns 8 bytes that stand for a card number, as Pseudonym stands for a text. The
// two have nothing in common, even for the same text.
func (r *Ring) NumberHash(number string) [8]byte { return r.keyedHash("card number", number) }

// keyedHash returns a hash of a text for one purpose.
func (r *Ring) keyedHash(purpose, text string) [8]byte {
	// It uses the key of links. That is safe, because no link has a payload with this
	// beginning, and half of a tag is not enough for a signature.
	digest := sha256.Sum256([]byte(text))
	tag, err := r.keys().links.ComputeMAC(append([]byte(purpose+"\x00"), digest[:]...))
	if err != nil {
		panic(fmt.Sprintf("HMAC over bytes failed: %v", err))
	}
	return [8]byte(tag[linkTagSize-16:])
}

// keys returns the keys for sealing and signing. Every lookEvery, one caller reads the file.
func (r *Ring) keys() *keys {
	now, last := r.uptime(), r.looked.Load()
	// If several callers come here at once, only the one that wins the swap reads the file.
	if now-time.Duration(last) >= lookEvery && r.looked.CompareAndSwap(last, int64(now)) {
		return r.look()
	}
	return r.current.Load()
}

// look reads the file, and replaces the keys if it has changed and is readable.
func (r *Ring) look() *keys {
	r.looking.Lock()
	defer r.looking.Unlock()
	current := r.current.Load()
	// load returns nil for an unchanged file and for an error.
	fresh, err := load(r.path, current.version)
	r.failure = err
	if fresh == nil {
		return current
	}
	r.current.Store(fresh)
	return fresh
}

// open tries the ring's current keys. If they fail, it reads the file and tries its newer keys.
func open[T any](r *Ring, current *keys, try func(*keys) (T, error)) (T, error) {
	opened, err := try(current)
	if err != nil {
		// Another caller may already have read the newer file.
		if fresh := r.look(); fresh != current {
			return try(fresh)
		}
	}
	return opened, err
}

// Err returns the error of the last read of the file, which is at most a second old, or nil.
// While it is not nil, the ring does not know keys that others have added.
func (r *Ring) Err() error {
	// An instance that is not ready gets no requests. Without this call, nothing would use
	// the ring and read the file again.
	r.keys()
	r.looking.Lock()
	defer r.looking.Unlock()
	return r.failure
}

// String returns the file's path and no key.
func (r *Ring) String() string { return "keyring " + r.path }

// GoString is String for %#v.
func (r *Ring) GoString() string { return r.String() }

// LogValue is String for log/slog.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

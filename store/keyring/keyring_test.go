package keyring_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/store/keyring"
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

// create makes a new key file and opens it.
func create(t testing.TB) (*keyring.Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	ring, err := keyring.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring, path
}

func open(t testing.TB, path string) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func rotate(t testing.TB, path string) {
	t.Helper()
	if err := keyring.Rotate(path); err != nil {
		t.Fatal(err)
	}
}

var cardID = []byte("card-12bytes")

func seal(t testing.TB, ring *keyring.Ring, code string) []byte {
	t.Helper()
	sealed, err := ring.Seal(code, cardID)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealedCodeOpensForItsCardOnly(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	sealed := seal(t, ring, "012345")
	if bytes.Contains(sealed, []byte("012345")) {
		t.Error("the sealed code can be read")
	}
	if code, err := ring.Unseal(sealed, cardID); err != nil || code != "012345" {
		t.Errorf("Unseal = %q, %v", code, err)
	}
	for _, other := range [][]byte{nil, []byte("card-13bytes"), cardID[:11]} {
		if code, err := ring.Unseal(sealed, other); err == nil {
			t.Errorf("it opens for card %q: %q", other, code)
		}
	}
	if bytes.Equal(sealed, seal(t, ring, "012345")) {
		t.Error("equal codes are sealed alike")
	}
	if _, err := ring.Seal("012345", nil); err == nil {
		t.Error("a code is sealed for no card")
	}
}

func TestSealedCodeWithAnyByteChangedStaysShut(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	sealed := seal(t, ring, "012345")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if code, err := ring.Unseal(changed, cardID); err == nil {
			t.Errorf("with byte %d changed it opens: %q", i, code)
		}
		if code, err := ring.Unseal(sealed[:i], cardID); err == nil {
			t.Errorf("cut to %d bytes it opens: %q", i, code)
		}
	}
	other, _ := create(t)
	if _, err := other.Unseal(sealed, cardID); err == nil {
		t.Error("another ring opens it")
	}
}

func TestLinkCarriesItsPayload(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	for _, payload := range []string{"", "a", "task=1&until=2", "\x00\xff<>?#", strings.Repeat("x", 1000)} {
		link := ring.SignLink([]byte(payload))
		if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(link) {
			t.Errorf("link %q needs escaping", link)
		}
		if got, err := ring.VerifyLink(link); err != nil || string(got) != payload {
			t.Errorf("VerifyLink = %q, %v, want %q", got, err, payload)
		}
	}
}

func TestLinkIsRefusedUnlessItIsExactlyTheOneSigned(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	other, _ := create(t)
	link := ring.SignLink([]byte("task 12345"))
	refused := []string{"", "a", "!", link + "=", link + "\n", "\r\n" + link, link + "A", link[1:], link[:len(link)-1], other.SignLink([]byte("task 12345"))}
	for i := range link {
		for _, c := range "Ab1_-+/. é" {
			if byte(c) != link[i] {
				refused = append(refused, link[:i]+string(c)+link[i+1:])
			}
		}
	}
	for _, s := range refused {
		if payload, err := ring.VerifyLink(s); !errors.Is(err, keyring.ErrLinkRefused) {
			t.Errorf("VerifyLink(%q) = %q, %v, want ErrLinkRefused (signed was %q)", s, payload, err, link)
		}
	}
}

func TestARingPrintsNoSecret(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	seal(t, ring, "012345")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile(`"value": ?"([^"]+)"`).FindAllStringSubmatch(string(data), -1)
	if len(secrets) != 3 {
		t.Fatalf("found %d keys in the file", len(secrets))
	}

	var printed strings.Builder
	// Every way to print a ring: verbs of fmt, log/slog and encoding/json.
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		fmt.Fprintf(&printed, format+"\n", ring)
	}
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "ring", ring)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "ring", ring)
	asJSON, err := json.Marshal(ring) //nolint:staticcheck // a ring exports no field, and this test shows it
	printed.Write(asJSON)
	if err != nil || !strings.Contains(printed.String(), "keyring "+path) {
		t.Errorf("printed: %s, %v", printed.String(), err)
	}
	for cut := 1; cut < len(data); cut += 7 {
		damaged := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(damaged, append(data[:cut:cut], data[cut+1:]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Open(damaged); err != nil {
			fmt.Fprintln(&printed, err)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(printed.String(), secret[1][:8]) {
			t.Errorf("a key is printed: %s", printed.String())
		}
	}
}

// BenchmarkSeal seals the security code of a card.
func BenchmarkSeal(b *testing.B) {
	ring, _ := create(b)
	for b.Loop() {
		if _, err := ring.Seal("012345", cardID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignLink signs a link. It does not make the payload.
func BenchmarkSignLink(b *testing.B) {
	ring, _ := create(b)
	payload := []byte("task 01890a5d-ac96-774b-bcce-b302099a8057 until 1700000000")
	for b.Loop() {
		ring.SignLink(payload)
	}
}

// BenchmarkVerifyToken verifies a token that the ring has seen before. The ring does not verify
// its signature again.
func BenchmarkVerifyToken(b *testing.B) {
	ring, _ := create(b)
	token := sign(b, ring, someClaims())
	for b.Loop() {
		if _, err := ring.VerifyToken(token, noon); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyTokenRefused verifies a token that has expired. The ring does not remember it,
// and verifies its signature each time.
func BenchmarkVerifyTokenRefused(b *testing.B) {
	ring, _ := create(b)
	token := sign(b, ring, someClaims())
	for b.Loop() {
		if _, err := ring.VerifyToken(token, noon.Add(48*time.Hour)); err == nil {
			b.Fatal("accepted")
		}
	}
}

// TestAPseudonymIsTheSameEverywhereUntilKeysAreRotated. Nobody can compute it without the keys.
func TestAPseudonymIsTheSameEverywhereUntilKeysAreRotated(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	other := open(t, path)
	stranger, _ := create(t)
	one := ring.Pseudonym("ada@example.com")
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(one) || one != other.Pseudonym("ada@example.com") {
		t.Errorf("pseudonyms %q and %q", one, other.Pseudonym("ada@example.com"))
	}
	if one == ring.Pseudonym("bob@example.com") || one == stranger.Pseudonym("ada@example.com") {
		t.Error("another text, or another server's keys, have the same pseudonym")
	}
}

// TestTheHashOfANumberIsTheSameOnEveryInstance, and differs from its pseudonym.
func TestTheHashOfANumberIsTheSameOnEveryInstance(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	other := open(t, path)
	stranger, _ := create(t)
	one := ring.NumberHash("9000000000000000")
	if one != other.NumberHash("9000000000000000") {
		t.Error("two instances have two hashes")
	}
	if one == ring.NumberHash("9000000000000001") || one == stranger.NumberHash("9000000000000000") || hex.EncodeToString(one[:]) == ring.Pseudonym("9000000000000000") {
		t.Error("another number, other keys, or a pseudonym, have the same hash")
	}
}

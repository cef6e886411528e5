package password_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"giftcards/server/password"
)

func TestOnlyTheSamePasswordMatches(t *testing.T) {
	t.Parallel()
	hash, err := password.Hash("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$") {
		t.Errorf("hash %q is not argon2id", hash)
	}
	for given, want := range map[string]bool{
		"correct horse battery": true, "Correct horse battery": false, "": false,
		strings.Repeat("x", password.MaxLength+1): false,
	} {
		if got, err := password.Matches(given, hash); got != want || err != nil {
			t.Errorf("Matches(%.20q) = %v, %v, want %v", given, got, err, want)
		}
	}
}

// TestOneWordTypedInTwoWaysIsOnePassword: a Mac and a PC encode the same letters differently. Hashes
// of passwords that were not normalised still work.
func TestOneWordTypedInTwoWaysIsOnePassword(t *testing.T) {
	t.Parallel()
	const composed, decomposed, wide = "Zoë's Käsekuchen", "Zoe\u0308's Ka\u0308sekuchen", "Zoë's Käseｋuchen"
	hashed := func(typed string) string {
		hash, err := password.Hash(typed)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	before, err := argon2id.CreateHash(decomposed, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("e\u0308", 500) // 1,500 bytes, 1,000 as they are hashed
	for _, c := range []struct {
		hash, typed string
		want        bool
	}{
		{hashed(composed), composed, true}, {hashed(composed), decomposed, true}, {hashed(composed), wide, true},
		{hashed(decomposed), composed, true}, {hashed(decomposed), decomposed, true}, {hashed(long), long, true},
		{before, decomposed, true}, {before, composed, false},
		{hashed(composed), "Zoe's Kasekuchen", false}, {"", decomposed, false},
	} {
		if got, err := password.Matches(c.typed, c.hash); got != c.want || err != nil {
			t.Errorf("Matches(%+.20q) = %v, %v, want %v", c.typed, got, err, c.want)
		}
	}
}

func TestNothingMatchesTheHashOfNobody(t *testing.T) {
	t.Parallel()
	if got, err := password.Matches("nobody has this password", ""); got || err != nil {
		t.Errorf("Matches with no hash = %v, %v", got, err)
	}
}

func TestABrokenHashIsAnErrorAndNoMatch(t *testing.T) {
	t.Parallel()
	if got, err := password.Matches("correct horse battery", "$argon2id$nonsense"); got || err == nil {
		t.Errorf("Matches with a broken hash = %v, %v", got, err)
	}
}

func TestHashRefusesUnfitLengths(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", strings.Repeat("x", password.MinLength-1), strings.Repeat("x", password.MaxLength+1)} {
		if _, err := password.Hash(p); !errors.Is(err, password.ErrLength) {
			t.Errorf("Hash of %d characters: %v", len(p), err)
		}
	}
}

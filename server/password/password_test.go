package password_test

import (
	"errors"
	"strings"
	"testing"

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

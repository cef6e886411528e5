// Package password hashes and checks passwords with argon2id. Hashes are PHC
// strings and carry their own parameters, so that these can be raised later.
package password

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"
)

// MinLength and MaxLength bound a password, in bytes. A shorter one is easy to guess; a
// longer one would only cost time to hash.
const (
	MinLength = 12
	MaxLength = 1024
)

// ErrLength refuses a password that is too short or too long.
var ErrLength = fmt.Errorf("password must have %d to %d bytes", MinLength, MaxLength)

// parameters are OWASP's for argon2id with 19 MiB.
var parameters = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// normalized returns the form of a password that is hashed, because keyboards and systems
// encode the same letter in different ways (RFC 8265).
func normalized(password string) string { return norm.NFKC.String(password) }

// Hash returns a hash of password, or ErrLength. Matches accepts every way to encode the same
// letters.
func Hash(password string) (string, error) { return hash(password, parameters) }

// cheap are the least parameters of argon2id.
var cheap = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// HashCheaply is Hash in less than a millisecond. The hash protects nothing, so it is only for
// the users of a sandbox, whose passwords are in its answers.
func HashCheaply(password string) (string, error) { return hash(password, cheap) }

func hash(password string, p *argon2id.Params) (string, error) {
	password = normalized(password)
	if len(password) < MinLength || len(password) > MaxLength {
		return "", ErrLength
	}
	return argon2id.CreateHash(password, p)
}

// absent is the hash of a password that nobody has.
var absent = sync.OnceValues(func() (string, error) { return argon2id.CreateHash("nobody has this password", parameters) })

// Matches reports whether hash is the hash of password. An empty hash (no such user)
// matches nothing, and takes as long as any other. Matches keeps a processor busy and takes
// 19 MiB for some 50 ms, so a server calls it within a Queue.
func Matches(password, hash string) (bool, error) {
	// The password is also tried as typed, for hashes that were made before passwords were
	// normalised.
	candidates := []string{normalized(password)}
	if password != candidates[0] {
		candidates = append(candidates, password)
	}
	candidates = slices.DeleteFunc(candidates, func(c string) bool { return len(c) > MaxLength })
	if len(candidates) == 0 {
		return false, nil
	}
	// Without a user, check against a hash that nothing matches, so that the time does not
	// tell whether the user exists.
	unknown := hash == ""
	if unknown {
		var err error
		if hash, err = absent(); err != nil {
			return false, err
		}
	}
	for _, candidate := range candidates {
		matches, err := argon2id.ComparePasswordAndHash(candidate, hash)
		if err != nil {
			return false, errors.Join(errors.New("stored password hash is broken"), err)
		}
		if matches {
			return !unknown, nil
		}
	}
	return false, nil
}

// Package password hashes and checks passwords with argon2id. Hashes are PHC
// strings and carry their own parameters, so that these can be raised later.
package password

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/alexedwards/argon2id"
)

// MinLength and MaxLength bound a password, in bytes: the lower against guessing,
// the upper against hashing for its own sake.
const (
	MinLength = 12
	MaxLength = 1024
)

// ErrLength refuses a password that is too short or too long.
var ErrLength = fmt.Errorf("password must have %d to %d characters", MinLength, MaxLength)

// parameters are OWASP's for argon2id with 19 MiB.
var parameters = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// slots bounds how many hashes are computed at a time, and with it their memory.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))

// Hash returns the hash of password, or ErrLength.
func Hash(password string) (string, error) {
	if len(password) < MinLength || len(password) > MaxLength {
		return "", ErrLength
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	return argon2id.CreateHash(password, parameters)
}

// absent is the hash of a password that nobody has.
var absent = sync.OnceValues(func() (string, error) { return argon2id.CreateHash("nobody has this password", parameters) })

// Matches reports whether hash is the hash of password. An empty hash (no such
// user) matches nothing and takes as long as any other.
func Matches(password, hash string) (bool, error) {
	if len(password) > MaxLength {
		return false, nil
	}
	unknown := hash == ""
	slots <- struct{}{}
	defer func() { <-slots }()
	if unknown {
		var err error
		if hash, err = absent(); err != nil {
			return false, err
		}
	}
	matches, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, errors.Join(errors.New("stored password hash is broken"), err)
	}
	return matches && !unknown, nil
}

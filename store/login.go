package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"giftcards/gen/db"
)

const (
	// knownLogins is how many networks are kept for each user: the latest.
	knownLogins = 50
	// knownLoginLifetime is how long a network is kept after the last login from it.
	knownLoginLifetime = 90 * 24 * time.Hour
	// knownLoginEvery is how often a login from a known network is recorded. A time that is
	// a day late does not matter for a lifetime of 90 days.
	knownLoginEvery = 24 * time.Hour
)

// Login is a user who tries to log in from a network.
type Login struct {
	User User
	// Known reports whether the user has logged in from the network in the last 90 days, with
	// the present password.
	Known    bool
	network  []byte
	lastSeen time.Time
}

// FindLogin returns the user with the address, in upper or lower case, and whether they have
// logged in from the network before. It fails with ErrUserNotFound.
func (s *Store) FindLogin(ctx context.Context, email string, network netip.Prefix) (Login, error) {
	email = CleanEmail(email)
	hash := networkHash(email, network)
	row, err := s.logins.Do(ctx, db.FindLoginParams{Email: email, Network: hash})
	if err != nil {
		return Login{}, classify(fmt.Errorf("find login: %w", err))
	}
	if row == nil {
		return Login{}, ErrUserNotFound
	}
	login := Login{User: row.User, network: hash}
	if row.LastSeen != nil {
		login.lastSeen = *row.LastSeen
		login.Known = s.Clock().Sub(login.lastSeen) < knownLoginLifetime
	}
	return login, nil
}

func (s *Store) findLogins(ctx context.Context, of []db.FindLoginParams) ([]*db.FindLoginRow, error) {
	return findEach(len(of), s.q.FindLogin(ctx, of).QueryRow)
}

// RememberLogin records that the user has logged in from the network. It writes for a new
// network, and once a day for a known one. It keeps the latest 50 networks of each user.
func (tx *Tx) RememberLogin(ctx context.Context, login Login) error {
	if login.Known && tx.clock.Sub(login.lastSeen) < knownLoginEvery {
		return nil
	}
	if err := tx.q.UpsertKnownLogin(ctx, login.User.ID, login.network, tx.clock); err != nil {
		return fmt.Errorf("remember login: %w", err)
	}
	// Only a new network can be one too many.
	if login.Known {
		return nil
	}
	return wrap(tx.q.DeleteSurplusKnownLogins(ctx, login.User.ID, knownLogins), "forget the oldest logins")
}

// networkHash returns the hash that is stored for a network. It includes the user's name, so
// that a precomputed table of all addresses does not work for all users. It uses no secret
// key, because the audit log has the address of each login anyway.
func networkHash(email string, network netip.Prefix) []byte {
	hash := sha256.Sum256([]byte(email + "\x00" + network.String()))
	return hash[:]
}

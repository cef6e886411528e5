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
	// knownLogins is how many networks are kept of a user, the newest.
	knownLogins = 50
	// knownLoginLifetime is how long one is kept after the last login from it.
	knownLoginLifetime = 90 * 24 * time.Hour
	// knownLoginEvery is how often a login from a known network is written down: a
	// time that is a day old does for a lifetime of 90.
	knownLoginEvery = 24 * time.Hour
)

// Login is what the database says of a user who logs in from a network.
type Login struct {
	User User
	// Known: the user has logged in from the network, in the last 90 days and with the
	// password they have now.
	Known    bool
	network  []byte
	lastSeen time.Time
}

// FindLogin returns the user with the address, in whatever case, and whether they
// are known in the network. It fails with ErrUserNotFound.
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
		login.Known = s.Now().Sub(login.lastSeen) < knownLoginLifetime
	}
	return login, nil
}

func (s *Store) findLogins(ctx context.Context, of []db.FindLoginParams) ([]*db.FindLoginRow, error) {
	return findEach(len(of), s.q.FindLogin(ctx, of).QueryRow)
}

// RememberLogin writes down that the user logged in from the network: if it is new,
// and else once a day. Of each user the newest 50 networks are kept.
func (tx *Tx) RememberLogin(ctx context.Context, login Login) error {
	if login.Known && tx.now.Sub(login.lastSeen) < knownLoginEvery {
		return nil
	}
	if err := tx.q.UpsertKnownLogin(ctx, login.User.ID, login.network, tx.now); err != nil {
		return fmt.Errorf("remember login: %w", err)
	}
	if login.Known {
		return nil
	}
	return wrap(tx.q.DeleteSurplusKnownLogins(ctx, login.User.ID, knownLogins), "forget the oldest logins")
}

// networkHash is what is stored of a network. It has no key: the audit log has the
// address of each login, so a key would hide nothing. The user's name is part of it, so
// that a table of the hashes of all addresses fits no two users.
func networkHash(email string, network netip.Prefix) []byte {
	hash := sha256.Sum256([]byte(email + "\x00" + network.String()))
	return hash[:]
}

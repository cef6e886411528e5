package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/text"
)

// User is a row of users.
type User = db.User

// The roles of users.
const (
	RoleIssuer  = "issuer"  // does everything
	RoleCashier = "cashier" // serves at a till: finds, activates, redeems, reloads and refunds
	RoleReader  = "reader"  // changes nothing, and reads what opens no card: no codes, so no CSV
)

// CleanEmail returns a user's address as it is stored: in lower case, and without characters
// that PostgreSQL cannot store.
func CleanEmail(email string) string { return strings.ToLower(text.Line(email)) }

// FindUserByEmail returns the user with the address, in upper or lower case. It fails with
// ErrUserNotFound.
func (tx *Tx) FindUserByEmail(ctx context.Context, email string) (User, error) {
	user, err := tx.q.FindUserByEmail(ctx, CleanEmail(email))
	return orUserNotFound(user, err, "find user")
}

// orUserNotFound returns ErrUserNotFound where a statement found no row.
func orUserNotFound(user User, err error, doing string) (User, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, ErrUserNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("%s: %w", doing, err)
	}
	return user, nil
}

// AddUser adds an active user with the merchant, address, name, password hash (as
// password.Hash returns it) and role of user, and returns the complete user. It fails with
// ErrMerchantNotFound or ErrEmailTaken.
func (tx *Tx) AddUser(ctx context.Context, user User) (User, error) {
	user.ID, user.Active, user.CreatedAt = id.New(tx.now), true, tx.now
	user.Email = CleanEmail(user.Email)
	if user.MerchantID.IsZero() { // it would be written as null
		return User{}, ErrMerchantNotFound
	}
	err := tx.q.InsertUser(ctx, db.InsertUserParams{
		ID: user.ID, MerchantID: user.MerchantID, Email: user.Email, Name: user.Name,
		PasswordHash: user.PasswordHash, Role: user.Role, CreatedAt: user.CreatedAt,
	})
	switch {
	case violates(err, constraintUserMerchant):
		return User{}, ErrMerchantNotFound
	case violates(err, constraintUserEmail):
		return User{}, ErrEmailTaken
	case err != nil:
		return User{}, fmt.Errorf("insert user: %w", err)
	}
	return user, nil
}

// SetPassword changes a user's password hash, ends all tokens given so far, and forgets the
// networks that the user has logged in from. It fails with ErrUserNotFound.
func (tx *Tx) SetPassword(ctx context.Context, email, passwordHash string) (User, error) {
	if err := tx.lockUser(ctx, email); err != nil {
		return User{}, err
	}
	user, err := tx.q.SetPassword(ctx, passwordHash, tx.endOfTokens(), CleanEmail(email))
	return orUserNotFound(user, err, "set password")
}

// SetActive activates or deactivates a user, and ends all tokens given so far. It fails with
// ErrUserNotFound.
func (tx *Tx) SetActive(ctx context.Context, email string, active bool) (User, error) {
	if err := tx.lockUser(ctx, email); err != nil {
		return User{}, err
	}
	user, err := tx.q.SetUserActive(ctx, active, tx.endOfTokens(), CleanEmail(email))
	return orUserNotFound(user, err, "set user active")
}

// SetRole changes a user's role. It holds for their present tokens too. It fails with
// ErrUserNotFound.
func (tx *Tx) SetRole(ctx context.Context, email, role string) (User, error) {
	if err := tx.lockUser(ctx, email); err != nil {
		return User{}, err
	}
	user, err := tx.q.SetUserRole(ctx, role, CleanEmail(email))
	return orUserNotFound(user, err, "set role")
}

// lockUser waits for the tasks of the user that are about to commit; see IssueTask.
func (tx *Tx) lockUser(ctx context.Context, email string) error {
	return wrap(tx.q.LockUser(ctx, CleanEmail(email)), "lock user")
}

// endOfTokens returns the second after the present one, because a token holds the time at
// which it was given in whole seconds. For a second change in the same second, the statement
// adds another second.
func (tx *Tx) endOfTokens() time.Time { return tx.now.Truncate(time.Second).Add(time.Second) }

// TokenTime returns the time to write into a token that user gets now. It is now, or later if the
// user was changed in this second: then it is the time from which tokens are valid.
func TokenTime(user User, now time.Time) time.Time {
	if user.TokensValidAfter != nil && now.Before(*user.TokensValidAfter) {
		return *user.TokensValidAfter
	}
	return now
}

// TokenEnded reports whether a later change of the user has ended a token given at that time.
func TokenEnded(user User, given time.Time) bool {
	return user.TokensValidAfter != nil && given.Before(*user.TokensValidAfter)
}

// Users returns all users, oldest first.
func (tx *Tx) Users(ctx context.Context) ([]User, error) { return tx.q.ListUsers(ctx) }

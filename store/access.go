package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/text"
)

type (
	// Merchant is a row of merchants.
	Merchant = db.Merchant
	// User is a row of users.
	User = db.User
	// Program is a row of programs.
	Program = db.Program
)

// Access is what the database says of a token's bearer and of a program.
type Access struct {
	User    User // without the password hash
	Revoked bool // the token was logged out
	// Program is the program asked about, nil if there is none.
	Program      *Program // without name and time
	MerchantName string   // of the program's merchant
}

// FindAccess says who user is, whether token is revoked, and whose program it is
// (the zero ID asks about none). It fails with ErrUserNotFound.
func (s *Store) FindAccess(ctx context.Context, user id.ID, token string, program id.ID) (Access, error) {
	// One statement by primary keys: a transaction would only add round trips.
	row, err := db.New(s.pool).FindAccess(ctx, token, program, user)
	if errors.Is(err, pgx.ErrNoRows) {
		return Access{}, ErrUserNotFound
	}
	if err != nil {
		return Access{}, classify(fmt.Errorf("find access: %w", err))
	}
	access := Access{
		User:    User{ID: row.UserID, MerchantID: row.MerchantID, Email: row.Email, Name: row.Name, Active: row.Active},
		Revoked: row.Revoked,
	}
	if !row.ProgramID.IsZero() {
		access.Program = &Program{ID: row.ProgramID, MerchantID: row.ProgramMerchantID}
		access.MerchantName = *row.ProgramMerchantName
	}
	return access, nil
}

// RevokeToken makes a token useless on every instance, at once. It can be
// forgotten after expiresAt, when the token ends by itself.
func (tx *Tx) RevokeToken(ctx context.Context, token string, expiresAt time.Time) error {
	if err := tx.q.RevokeToken(ctx, token, expiresAt); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// CleanEmail returns a user's address as it is looked up: in lower case, and
// without what PostgreSQL cannot store.
func CleanEmail(email string) string { return strings.ToLower(text.Line(email)) }

// FindUserByEmail returns the user with the address, in whatever case, or
// ErrUserNotFound.
func (tx *Tx) FindUserByEmail(ctx context.Context, email string) (User, error) {
	user, err := tx.q.FindUserByEmail(ctx, CleanEmail(email))
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, ErrUserNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("find user: %w", err)
	}
	return user, nil
}

// checkName returns a name as it may be stored: 1 to 255 characters in one line.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(text.Line(name))
	if n := utf8.RuneCountInString(name); n < 1 || n > 255 {
		return "", ErrBadName
	}
	return name, nil
}

// AddMerchant adds a merchant. It fails with ErrBadName.
func (tx *Tx) AddMerchant(ctx context.Context, name string) (Merchant, error) {
	name, err := checkName(name)
	if err != nil {
		return Merchant{}, err
	}
	merchant := Merchant{ID: id.New(tx.now), Name: name, CreatedAt: tx.now}
	if err := tx.q.InsertMerchant(ctx, merchant.ID, merchant.Name, merchant.CreatedAt); err != nil {
		return Merchant{}, fmt.Errorf("insert merchant: %w", err)
	}
	return merchant, nil
}

// AddUser adds a user of a merchant; passwordHash is as password.Hash makes it.
// It fails with ErrMerchantNotFound or ErrEmailTaken.
func (tx *Tx) AddUser(ctx context.Context, merchant id.ID, email string, name *string, passwordHash string) (User, error) {
	user := User{
		ID: id.New(tx.now), MerchantID: merchant, Email: strings.ToLower(email), Name: name,
		PasswordHash: passwordHash, Active: true, CreatedAt: tx.now,
	}
	err := tx.q.InsertUser(ctx, db.InsertUserParams{
		ID: user.ID, MerchantID: user.MerchantID, Email: user.Email, Name: user.Name,
		PasswordHash: user.PasswordHash, CreatedAt: user.CreatedAt,
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

// SetPassword changes a user's password hash. It fails with ErrUserNotFound.
func (tx *Tx) SetPassword(ctx context.Context, email, passwordHash string) error {
	changed, err := tx.q.SetPassword(ctx, strings.ToLower(email), passwordHash)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if changed == 0 {
		return ErrUserNotFound
	}
	return nil
}

// AddProgram adds a gift-card program of a merchant. It fails with
// ErrMerchantNotFound or ErrBadName.
func (tx *Tx) AddProgram(ctx context.Context, merchant id.ID, name string) (Program, error) {
	name, err := checkName(name)
	if err != nil {
		return Program{}, err
	}
	program := Program{ID: id.New(tx.now), MerchantID: merchant, Name: name, CreatedAt: tx.now}
	err = tx.q.InsertProgram(ctx, db.InsertProgramParams(program))
	if violates(err, constraintProgramMerchant) {
		return Program{}, ErrMerchantNotFound
	}
	if err != nil {
		return Program{}, fmt.Errorf("insert program: %w", err)
	}
	return program, nil
}

// Merchants returns all merchants, oldest first.
func (tx *Tx) Merchants(ctx context.Context) ([]Merchant, error) { return tx.q.ListMerchants(ctx) }

// Users returns all users, oldest first.
func (tx *Tx) Users(ctx context.Context) ([]User, error) { return tx.q.ListUsers(ctx) }

// Programs returns all programs, oldest first.
func (tx *Tx) Programs(ctx context.Context) ([]Program, error) { return tx.q.ListPrograms(ctx) }

package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/text"
)

type (
	// Merchant is a row of merchants.
	Merchant = db.Merchant
	// Program is a row of programs.
	Program = db.Program
)

// Access is what the database says of a token's bearer and of a program. It may be
// remembered: what is done for it asks the database, in the same statement, whether
// token and user are still as they were.
type Access struct {
	TokenID string
	User    User // without the password hash
	Revoked bool // the token was logged out
	// Program is the program asked about, nil if there is none.
	Program      *Program // without name and time
	MerchantName string   // of the program's merchant
}

// FindAccess says who user is, whether token is revoked, and whose program it is
// (the zero ID asks about none). It fails with ErrUserNotFound.
func (s *Store) FindAccess(ctx context.Context, user id.ID, token string, program id.ID) (Access, error) {
	row, err := s.access.do(ctx, db.FindAccessParams{TokenID: token, ProgramID: program, UserID: user})
	if err != nil {
		return Access{}, classify(fmt.Errorf("find access: %w", err))
	}
	if row == nil {
		return Access{}, ErrUserNotFound
	}
	access := Access{
		TokenID: token,
		User: User{
			ID: row.UserID, MerchantID: row.MerchantID, Email: row.Email, Name: row.Name, Active: row.Active,
			Role: row.Role, TokensValidAfter: row.TokensValidAfter,
		},
		Revoked: row.Revoked,
	}
	if !row.ProgramID.IsZero() {
		access.Program = &Program{ID: row.ProgramID, MerchantID: row.ProgramMerchantID}
		access.MerchantName = *row.ProgramMerchantName
	}
	return access, nil
}

func (s *Store) findAccess(ctx context.Context, of []db.FindAccessParams) ([]*db.FindAccessRow, error) {
	return findEach(len(of), s.q.FindAccess(ctx, of).QueryRow)
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

// Programs returns all programs, oldest first.
func (tx *Tx) Programs(ctx context.Context) ([]Program, error) { return tx.q.ListPrograms(ctx) }

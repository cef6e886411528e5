package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Access is what the bearer of a token may do in a program. Callers may cache it for a
// minute, provided that every statement that acts on it checks again that token and user
// are unchanged, as CreateCard and FindTask do.
type Access struct {
	TokenID string
	User    User // without the password hash
	Revoked bool // the token was logged out
	// Program is the program that FindAccess was asked for, nil if there is none.
	Program      *Program // without name and time
	MerchantName string   // of the program's merchant
}

// FindAccess returns the access of user with token to program, or to none if program is
// zero. It does not judge it. It fails with ErrUserNotFound.
func (s *Store) FindAccess(ctx context.Context, user id.ID, token string, program id.ID) (Access, error) {
	row, err := s.q.FindAccess(ctx, token, program, user)
	if errors.Is(err, pgx.ErrNoRows) {
		return Access{}, ErrUserNotFound
	}
	if err != nil {
		return Access{}, classify(fmt.Errorf("find access: %w", err))
	}
	access := Access{
		TokenID: token,
		User: User{
			ID: row.UserID, MerchantID: row.MerchantID, Email: row.Email, Name: row.Name, Active: row.Active,
			Role: row.Role, TokensValidAfter: row.TokensValidAfter,
		},
		Revoked: row.Revoked,
	}
	if !row.ProgramID.IsZero() { // null, if there is no such program
		access.Program = &Program{ID: row.ProgramID, MerchantID: row.ProgramMerchantID}
		access.MerchantName = *row.ProgramMerchantName
	}
	return access, nil
}

// CheckLink fails with ErrLinkEnded unless user may still read the security codes of
// program's cards over a link. The user must be an active issuer of the program's merchant,
// and the token that they got the link with, given at that time, must not have been ended.
func (tx *Tx) CheckLink(ctx context.Context, user, program id.ID, given time.Time) error {
	holder, err := tx.q.FindLinkHolder(ctx, user, program)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrLinkEnded
	}
	if err != nil {
		return fmt.Errorf("find link holder: %w", err)
	}
	if !holder.Active || !holder.SameMerchant || holder.Role != RoleIssuer || TokenEnded(User{TokensValidAfter: holder.TokensValidAfter}, given) {
		return ErrLinkEnded
	}
	return nil
}

// CheckAccess fails with ErrAccessChanged if token or user have changed since the access
// was found. Call it after every statement that may wait for a lock, because the user may
// be changed during the wait.
func (tx *Tx) CheckAccess(ctx context.Context, access Access) error {
	unchanged, err := tx.q.AccessUnchanged(ctx, db.AccessUnchangedParams{
		TokenID: access.TokenID, UserID: access.User.ID, MerchantID: access.User.MerchantID,
		Role: access.User.Role, TokensValidAfter: access.User.TokensValidAfter,
	})
	switch {
	case err != nil:
		return fmt.Errorf("check access: %w", err)
	case !unchanged:
		return ErrAccessChanged
	}
	return nil
}

// RevokeToken makes every instance refuse the token from the commit on. The row is deleted
// some time after expiresAt, when the token has expired by itself.
func (tx *Tx) RevokeToken(ctx context.Context, token string, expiresAt time.Time) error {
	return wrap(tx.q.RevokeToken(ctx, token, expiresAt), "revoke token")
}

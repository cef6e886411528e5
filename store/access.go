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
	if !row.ProgramID.IsZero() {
		access.Program = &Program{ID: row.ProgramID, MerchantID: row.ProgramMerchantID}
		access.MerchantName = *row.ProgramMerchantName
	}
	return access, nil
}

// CheckLink fails with ErrLinkEnded unless user may still have the security codes of
// program's cards over a link that they got with a token given at that time: an active
// issuer of the program's merchant, whose tokens were not ended since.
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

// CheckAccess fails with ErrAccessChanged unless token and user are as they were when
// the access was found. A statement of this transaction that comes later may still
// commit after a change of the user that commits meanwhile; ask after whatever waits.
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

// RevokeToken makes a token useless on every instance, at once. It is forgotten some
// time after expiresAt, when the token has ended by itself.
func (tx *Tx) RevokeToken(ctx context.Context, token string, expiresAt time.Time) error {
	if err := tx.q.RevokeToken(ctx, token, expiresAt); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

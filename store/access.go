package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// Access is what the bearer of a token may do in a program. Callers may cache it for a
// minute, provided that every operation that acts on it checks again that token and user
// are unchanged, as CreateCard, FindTask, FindCard, ListCards and Move do.
type Access struct {
	TokenID string
	User    User // without the password hash
	Revoked bool // the token was logged out
	// Program is the program that FindAccess was asked for, nil if there is none.
	Program      *Program // without name and time
	MerchantName string   // of the program's merchant
}

// FindAccess returns what the database says about the user, the token and, unless program is
// zero, the program. It does not decide what the user may do. It fails with ErrUserNotFound.
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

// checkAccess fails with ErrAccessChanged if token or user have changed since the access
// was found. Call it after every statement that may wait for a lock, because the user may
// be changed during the wait.
func (tx *Tx) checkAccess(ctx context.Context, access Access) error {
	var changed bool
	err := tx.tx.QueryRow(ctx, "select exists ("+changedAccessesSQL[oneRow]+")", values(accessColumns, access)...).Scan(&changed)
	switch {
	case err != nil:
		return fmt.Errorf("check access: %w", err)
	case changed:
		return ErrAccessChanged
	}
	return nil
}

// readAs carries out the statements that queue adds to a batch, in one read-only transaction and
// one round trip. It fails with ErrAccessChanged, whatever they found, if token or user have
// changed.
func (s *Store) readAs(ctx context.Context, access Access, queue func(*pgx.Batch)) error {
	batch := &pgx.Batch{}
	var changed bool
	// All statements see one state, so that the rows are those of the moment of the check.
	batch.Queue("begin isolation level repeatable read read only")
	batch.Queue(changedAccessesSQL[oneRow], values(accessColumns, access)...).Query(func(rows pgx.Rows) error {
		changed = rows.Next()
		rows.Close()
		return rows.Err()
	})
	queue(batch)
	batch.Queue("commit")
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	if changed {
		return ErrAccessChanged
	}
	return nil
}

// accessUnchangedSQL is true if token and user are as they were when the access in a row called
// new was found. It reads by primary keys, without a lock. The query FindTask has a copy.
const accessUnchangedSQL = `exists (select from users u where u.id = new.user_id and u.active and u.merchant_id = new.merchant_id
        and u.role = new.role and u.tokens_valid_after is not distinct from new.tokens_valid_after)
    and not exists (select from revoked_tokens r where r.id = new.token_id)`

// accessColumns are the parts of an access that accessUnchangedSQL compares.
var accessColumns = []column[Access]{
	columnOf("token_id", "text", func(a Access) string { return a.TokenID }),
	columnOf("user_id", "bytea", func(a Access) id.ID { return a.User.ID }),
	columnOf("merchant_id", "bytea", func(a Access) id.ID { return a.User.MerchantID }),
	columnOf("role", "text", func(a Access) string { return a.User.Role }),
	columnOf("tokens_valid_after", "timestamptz", func(a Access) *time.Time { return a.User.TokensValidAfter }),
}

// changedAccessesSQL returns the accesses that have changed, by accessColumns.
var changedAccessesSQL = inForms(func(f form) string {
	list := strings.Join(names(accessColumns), ", ")
	return fmt.Sprintf("select %s from %s as new (%[1]s) where not (%[3]s)", list, source(accessColumns, 1, f), accessUnchangedSQL)
})

// RevokeToken makes every instance refuse the token from the commit on. The row is deleted
// some time after expiresAt, when the token has expired by itself.
func (tx *Tx) RevokeToken(ctx context.Context, token string, expiresAt time.Time) error {
	return wrap(tx.q.RevokeToken(ctx, token, expiresAt), "revoke token")
}

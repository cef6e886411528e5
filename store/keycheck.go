package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrWrongKeys means that the security codes in the database are sealed with other keys than
// the store has. The store could open none of them, and the right keys could not open the
// codes that it would seal.
var ErrWrongKeys = errors.New("the security codes of this database are sealed with other keys")

// keyCheckText is sealed, bound to keyCheckName, to find out whether the keys fit.
const keyCheckText, keyCheckName = "giftcards", "key check"

// CheckKeys fails with ErrWrongKeys unless the store has the keys of the codes in the
// database. The keys of the first server on a database are the right ones.
func (s *Store) CheckKeys(ctx context.Context) error {
	sealed, err := s.keys.Seal(keyCheckText, []byte(keyCheckName))
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	// Only the text of the first server is kept, and every other server must open it.
	if err := s.q.InsertKeyCheck(ctx, sealed); err != nil {
		return classify(fmt.Errorf("insert key check: %w", err))
	}
	if sealed, err = s.q.FindKeyCheck(ctx); err != nil {
		return classify(fmt.Errorf("find key check: %w", err))
	}
	if text, err := s.keys.Unseal(sealed, []byte(keyCheckName)); err != nil || text != keyCheckText {
		return ErrWrongKeys
	}
	return nil
}

// HasKeyCheck reports whether a server has used the database before.
func (s *Store) HasKeyCheck(ctx context.Context) (bool, error) {
	_, err := s.q.FindKeyCheck(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, classify(err)
}

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// CheckBalance returns the card with a number, as people type it, and a security code. It sets
// only the fields that findCheckedSQL selects. It looks in all programs if program is nil.
//
// It fails with ErrCardNotFound if the number or the code is wrong, and does the same work in
// both cases, so that nobody learns which numbers exist. It fails with a *NumberLockedError
// after five wrong codes, whether or not the number exists.
func (s *Store) CheckBalance(ctx context.Context, program *id.ID, typed, code string) (GiftCard, error) {
	// A text that is no number is looked up too, because it must cost as much as a wrong number.
	asked := checkedNumber{number: noNumber, hash: s.hashNumber(typed)}
	if number, ok := ParseNumber(typed); ok {
		asked.number = number
	}
	// The turn lasts until a wrong code is counted. Parallel guesses would otherwise see one count.
	giveBack, err := s.turns.take(ctx, asked.hash)
	if err != nil {
		return GiftCard{}, err
	}
	defer giveBack()
	found, err := s.checks.Do(ctx, asked)
	if err != nil {
		return GiftCard{}, classify(fmt.Errorf("find card to check: %w", err))
	}
	now := s.Clock()
	if err := found.failures.refuse(now); err != nil {
		return GiftCard{}, err
	}
	// A card of another program is like none, because the answer must not tell that it exists.
	card, exists := found.card, found.card != nil && (program == nil || found.card.ProgramID == *program)
	if !exists {
		if card, err = s.decoyCard(); err != nil {
			return GiftCard{}, err
		}
	}
	right, err := s.codeMatches(card.ID, card.SealedCode, code)
	switch {
	case err != nil:
		return GiftCard{}, err
	case !right || !exists:
		return GiftCard{}, s.countWrongCode(ctx, asked.hash, now)
	// Without wrong codes there is nothing to forget, so the usual check writes no row.
	case len(found.failures) > 0:
		_, err = s.storeTry(ctx, codeTry{asked.hash, true}, now)
	}
	return *card, err
}

// countWrongCode counts a wrong code and returns the error for the caller.
func (s *Store) countWrongCode(ctx context.Context, number numberHash, now time.Time) error {
	counted, err := s.storeTry(ctx, codeTry{number, false}, now)
	switch {
	case err != nil:
		return err
	case !counted: // another instance has counted the last one meanwhile
		return &NumberLockedError{Wait: codeWindow}
	}
	return ErrCardNotFound
}

// storeTry stores a try and reports whether that has changed anything. The end of ctx does not
// stop it.
func (s *Store) storeTry(ctx context.Context, try codeTry, now time.Time) (changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	sql, arguments := try.statement(now)
	tag, err := s.pool.Exec(ctx, sql, arguments...)
	return tag.RowsAffected() > 0, classify(wrap(err, "store tried code"))
}

// decoyCard returns a card that does not exist, with a code to compare with, so that a wrong
// number costs as much as a wrong code.
func (s *Store) decoyCard() (*GiftCard, error) {
	if decoy := s.decoy.Load(); decoy != nil {
		if _, err := s.keys.Unseal(decoy.SealedCode, decoy.ID[:]); err == nil {
			return decoy, nil
		}
		// Its key was retired.
	}
	decoy := &GiftCard{ID: id.New(s.Clock())}
	var err error
	if decoy.SealedCode, err = s.keys.Seal(securityCode(), decoy.ID[:]); err != nil {
		return nil, fmt.Errorf("seal decoy: %w", err)
	}
	s.decoy.Store(decoy)
	return decoy, nil
}

// noNumber is the number of no card.
const noNumber = -1

// checkedNumber is a number to look up for a balance check, and checked is what was found.
type (
	checkedNumber struct {
		number int64
		hash   numberHash
	}
	checked struct {
		card     *GiftCard // nil: there is none
		failures codeFailures
	}
)

// findCheckedSQL finds a card and the wrong codes of its number for each of some numbers, in
// one statement without a lock, by gift_cards_number_idx and code_failures_pkey.
const findCheckedSQL = `select c.program_id, c.id, c.card_number, c.sealed_code, c.status, c.balance, c.expires_at, c.activated_at, c.suspended_until, f.failed_at
from unnest($1::bigint[], $2::bytea[]) with ordinality as wanted (number_order, hash, place)
left join gift_cards c on ` + numberOrderSQL + ` = wanted.number_order
left join code_failures f on f.number_hash = wanted.hash
order by wanted.place`

// findChecked looks up all numbers in one statement.
func (s *Store) findChecked(ctx context.Context, asked []checkedNumber) ([]checked, error) {
	rows, err := s.pool.Query(ctx, findCheckedSQL,
		each(asked, func(n checkedNumber) int64 { return numberOrder(n.number) }), each(asked, func(n checkedNumber) []byte { return n.hash[:] }))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (checked, error) {
		var found checked
		var card GiftCard
		var number *int64 // this and the others are null without a card
		var status *string
		var balance *money.Amount
		var expiresAt *time.Time
		err := row.Scan(&card.ProgramID, &card.ID, &number, &card.SealedCode, &status, &balance, &expiresAt, &card.ActivatedAt, &card.SuspendedUntil, &found.failures)
		if err == nil && number != nil {
			card.CardNumber, card.Status, card.Balance, card.ExpiresAt = *number, *status, *balance, *expiresAt
			found.card = &card
		}
		return found, err
	})
}

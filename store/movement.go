package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// Movement is a change of a few cards that depends on nothing but the cards themselves, such
// as a redemption. Many movements share a transaction (package groupcommit), also of the
// same card: they are applied one after the other to the locked rows.
type Movement struct {
	Access    Access
	ProgramID id.ID
	Cards     []id.ID // to lock; a program may have no such card
	// Key is the request's idempotency key, nil for none. Its subject must name the cards,
	// because their locks are what keeps two requests with the same key apart.
	Key *IdempotencyKey
	// Code is the security code that the caller has given for the first card; nil: none is
	// asked for. It is judged before Apply, and counts even if Apply fails.
	Code *GivenCode
	// Adds is the money that Apply puts on cards and takes from none, such as a reload. It counts
	// towards the daily limits on value of the program and of the user.
	Adds  money.Amount
	Entry AuditEntry
	// Apply changes the cards by their methods and returns the answer. If it fails, nothing of
	// what it did to the cards is written. It gets the cards in the order of Cards, nil for one
	// that does not exist. It must not wait for anything, because others share the transaction.
	Apply func(cards []*Card) (Answer, error)
}

// GivenCode is a security code for a card, as the caller typed it.
type GivenCode struct {
	CardNumber int64 // of the card
	Code       string

	hash numberHash // of the number; set by Move
}

// moved is the result of one movement.
type moved struct {
	answer Answer
	err    error // then the movement wrote nothing
}

// lockWait is how long an operation waits for a card that another transaction holds.
const lockWait = 2 * time.Second

// Move carries out a movement: it locks the cards in the order of their ids, applies the
// movement, and writes the cards, their ledger entries, the audit entry and the answer under
// the key, in one transaction. It returns the answer after the commit.
//
// If the key has an answer already, Move returns that and changes nothing. It fails with
// what Apply fails with, with ErrCardNotFound if the first card does not exist, with
// ErrKeyReused, with ErrAccessChanged if token or user have changed, and with ErrCardBusy.
// With a Code, it also fails with ErrWrongCode, and with a *NumberLockedError. With Adds, it fails
// with a Forbidden error that names a daily limit if the money would go over it.
func (s *Store) Move(ctx context.Context, m Movement) (Answer, error) {
	if m.Code != nil {
		m.Code.hash = s.hashNumber(FormatNumber(m.Code.CardNumber))
		giveBack, err := s.turns.take(ctx, m.Code.hash)
		if err != nil {
			return Answer{}, err
		}
		defer giveBack()
		// A caller who hangs up must not let the next try begin before this one is counted.
		ctx = context.WithoutCancel(ctx)
	}
	share := s.movements.Do
	if _, given := timeOf(ctx); given { // others of the transaction would get the time too
		share = s.movements.Alone
	}
	result, err := share(ctx, m)
	if err != nil {
		return Answer{}, busy(classify(err))
	}
	return result.answer, result.err
}

// busy turns the error of a statement that has waited for lockWait into ErrCardBusy.
func busy(err error) error {
	if lockTimedOut(err) {
		return ErrCardBusy
	}
	return err
}

// move carries out all movements in one transaction, in two round trips: what is needed is
// locked and read in the first, and everything is written and committed in the second.
func (s *Store) move(ctx context.Context, asked []Movement) ([]moved, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	// Release closes a connection that is still in a transaction, as after an error.
	defer conn.Release()
	round := newMovementRound(s.moment(ctx), asked)
	round.codeMatches, round.receipts, round.limitRefused = s.codeMatches, &s.receipts, s.limitRefused
	if err := conn.SendBatch(ctx, round.reads()).Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("lock cards: %w", err), rollBack(ctx, conn.Conn()))
	}
	results := round.apply(asked)
	writes := round.writes()
	if writes == nil {
		return results, rollBack(ctx, conn.Conn())
	}
	if err := conn.SendBatch(ctx, writes).Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("write movements: %w", err), rollBack(ctx, conn.Conn()))
	}
	s.counts.add(&round.tally)
	return results, nil
}

// rollBack ends the transaction, so that the connection can be used again. A connection that
// is lost needs no rollback.
func rollBack(ctx context.Context, conn *pgx.Conn) error {
	if conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, "rollback")
	return wrap(err, "roll back")
}

package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/money"
)

// Limits bound the cards that may be promised on one day, in UTC, in a program or by a user, and
// the value of these cards and of the day's reloads. A card is promised when it is created, or when
// the task that will issue it is added.
type Limits struct {
	CardsPerDay *int64        // 0 or more; nil: no limit
	ValuePerDay *money.Amount // of initial values and reloads together, 0 or more; nil: no limit
}

// Limits returns the limits of all programs and users that have one, by the id of the program
// or user.
func (tx *Tx) Limits(ctx context.Context) (map[id.ID]Limits, error) {
	rows, err := tx.q.ListLimits(ctx)
	if err != nil {
		return nil, fmt.Errorf("list limits: %w", err)
	}
	limits := make(map[id.ID]Limits, len(rows))
	for _, row := range rows {
		limits[row.Scope] = Limits{CardsPerDay: row.CardsPerDay, ValuePerDay: row.ValuePerDay}
	}
	return limits, nil
}

// SetLimits sets the limits of the program or user with the id, which must exist. A limit
// that is nil stays as it is. Every instance applies them from the next request on. Cards
// are counted from the moment at which the first limit is set.
func (tx *Tx) SetLimits(ctx context.Context, scope id.ID, l Limits) error {
	return wrap(tx.q.SetLimits(ctx, scope, l.CardsPerDay, l.ValuePerDay), "set limits")
}

// RemoveLimits removes all limits of the program or user with the id.
func (tx *Tx) RemoveLimits(ctx context.Context, scope id.ID) error {
	return wrap(tx.q.DeleteLimits(ctx, scope), "remove limits")
}

// countIssued counts cards on these terms towards the daily limits of the program and of the
// user, and returns the scopes that have a limit. Other transactions that count in the same
// scopes wait until this one ends. If the cards would go over a limit, it fails with an
// error for the caller, and the transaction must be rolled back.
func (tx *Tx) countIssued(ctx context.Context, terms Terms, cards int) ([][]byte, error) {
	rows, err := tx.q.CountIssued(ctx, db.CountIssuedParams{
		Day: tx.clock, ProgramID: terms.ProgramID[:], UserID: nullable(terms.IssuedBy), Cards: int64(cards), CardValue: terms.InitialValue,
	})
	if err != nil {
		return nil, fmt.Errorf("count issued cards: %w", err)
	}
	scopes := [][]byte{} // not nil, because counted_in is not null
	for _, row := range rows {
		if row.TooManyCards || row.TooMuchValue {
			return nil, tx.store.limitReached(row)
		}
		scopes = append(scopes, row.Scope)
	}
	return scopes, nil
}

// limitReached counts a refusal, and returns the error for the caller.
func (s *Store) limitReached(row db.CountIssuedRow) error {
	if row.TooManyCards {
		return s.limitRefused(row.OfProgram, fmt.Sprintf("cards are limited to %d a day, %d left", *row.CardsPerDay, row.CardsLeft))
	}
	return s.limitRefused(row.OfProgram, valueLimit(*row.ValuePerDay, row.ValueLeft))
}

// valueLimit says what a limit of value is, and what is left of it.
func valueLimit(limit, left money.Amount) string {
	return fmt.Sprintf("value is limited to %s a day, %s left", limit, left)
}

// limitRefused is limitReached for a limit of a program or of a user, in words.
func (s *Store) limitRefused(ofProgram bool, limit string) error {
	whose, kind := "user", refusedByUserLimit
	if ofProgram {
		whose, kind = "program", refusedByProgramLimit
	}
	s.counts[kind].Add(1) // not in the tally, because the transaction is rolled back
	return &Error{Kind: Forbidden, Message: fmt.Sprintf("Daily limit of the %s reached: %s until midnight UTC", whose, limit)}
}

// giveBackIssued subtracts a task from the totals in which it was counted.
func (tx *Tx) giveBackIssued(ctx context.Context, program id.ID, task uuid.UUID) error {
	// In the order in which countIssued locks the totals, so that the two cannot deadlock.
	for place := range int32(2) {
		if err := tx.q.GiveBackIssued(ctx, program, task, place+1); err != nil {
			return fmt.Errorf("give back issued cards: %w", err)
		}
	}
	return nil
}

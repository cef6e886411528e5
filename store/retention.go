package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
)

// retentionStep is the span of expiry dates that one statement looks through, so that it reads
// a part of the table only.
const retentionStep = 24 * time.Hour

// EraseEnded erases the recipients of cards that have ended for longer than their program keeps
// recipients, about batch in each program, with the messages of these cards. A card has ended
// when it was spent or voided, counted from its last change, or when it has expired. It
// returns how many steps it did; call it again until it returns 0.
func (tx *Tx) EraseEnded(ctx context.Context, batch int) (steps int64, err error) {
	programs, err := tx.q.ListRetentions(ctx)
	if err != nil {
		return 0, fmt.Errorf("list retentions: %w", err)
	}
	for _, program := range programs {
		before := tx.now.Add(-program.KeptFor)
		// A spent card is found by its last change and an expired one by its date, hence two statements.
		ended, err := tx.q.EraseEndedRecipients(ctx, db.EraseEndedRecipientsParams{
			ProgramID: program.ID, Before: before, Batch: int32(batch), Now: tx.now,
		})
		if err != nil {
			return 0, fmt.Errorf("erase recipients of ended cards: %w", err)
		}
		expired, err := tx.eraseExpired(ctx, program, before, batch)
		if err != nil {
			return 0, err
		}
		steps += ended + expired
	}
	return steps, nil
}

// eraseExpired erases one batch of a program's expired cards. It goes on in the order of their
// expiry, in steps of retentionStep.
func (tx *Tx) eraseExpired(ctx context.Context, program db.ListRetentionsRow, before time.Time, batch int) (steps int64, err error) {
	if !program.ExpiredUntil.Before(before) {
		return 0, nil
	}
	until := program.ExpiredUntil.Add(retentionStep)
	if until.After(before) {
		until = before
	}
	erased, err := tx.q.EraseExpiredRecipients(ctx, db.EraseExpiredRecipientsParams{
		ProgramID: program.ID, Since: program.ExpiredUntil, Before: until, Batch: int32(batch), Now: tx.now,
	})
	if err != nil {
		return 0, fmt.Errorf("erase recipients of expired cards: %w", err)
	}
	if erased == int64(batch) { // there may be more
		return erased, nil
	}
	err = tx.q.SetErasedUntil(ctx, program.ID, until)
	return erased + 1, wrap(err, "set how far recipients are erased")
}

package store

import (
	"context"
	"fmt"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// RecordBounce records that a mail which was sent did not reach its recipient, and why. It returns
// the card's program, and false if there is no such mail: it was never sent, sent once more since,
// known to have bounced, or deleted.
func (tx *Tx) RecordBounce(ctx context.Context, card id.ID, sequence int, reason string) (program id.ID, recorded bool, err error) {
	program, err = tx.q.FindCardProgram(ctx, card)
	if isNone(err) {
		return program, false, nil
	}
	if err != nil {
		return program, false, fmt.Errorf("find card: %w", err)
	}
	changed, err := tx.q.SetMessageBounced(ctx, db.SetMessageBouncedParams{
		ProgramID: program, CardID: card, Sequence: int16(sequence), BouncedAt: tx.now, Bounce: reason,
	})
	return program, changed > 0, wrap(err, "record bounce")
}

// BouncedMessages returns at most limit mails that came back, the latest first.
func (tx *Tx) BouncedMessages(ctx context.Context, limit int) ([]Message, error) {
	rows, err := tx.q.ListBouncedMessages(ctx, int32(limit))
	return rows, wrap(err, "list bounced messages")
}

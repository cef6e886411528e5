package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Due is a claimed message with everything that its text needs. The code is still sealed;
// OpenCode opens it.
type Due struct {
	Message
	Card         GiftCard
	MerchantName string
	TimeZone     string // of the program, an IANA name
}

// maxEnded bounds how many messages that must not be sent one claim ends on its way.
const maxEnded = 100

// ClaimMessage returns the message of the lane that has been due longest, nil if there is
// none. In a lane of tasks, it looks only at the messages of program. Other workers leave
// the message alone for MessageLease. Send it after the commit, and record the outcome
// before the lease ends: without a record, as after a crash, the attempt counts as one with
// an unknown outcome.
//
// ClaimMessage ends messages that must not be sent: those of cards that are of no use any
// more, and those with too many unknown outcomes.
func (tx *Tx) ClaimMessage(ctx context.Context, lane Lane, program id.ID) (*Due, error) {
	for range maxEnded {
		row, err := tx.claim(ctx, lane, program)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("claim message: %w", err)
		}
		// A card that is missing fails its own message, so that it does not block the lane.
		due := &Due{Message: row}
		status, reason := MessageFailed, "there is no such card"
		switch found, err := tx.q.FindMessageCard(ctx, row.ProgramID, row.CardID); {
		case err == nil:
			due.Card, due.MerchantName, due.TimeZone = found.GiftCard, found.MerchantName, found.TimeZone
			status, reason = tx.unfit(due)
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, fmt.Errorf("find card of message: %w", err)
		}
		if status == MessageScheduled {
			return due, nil
		}
		// The claim has counted an attempt. There was none, so take it back.
		end := unsent(due, reason)
		end.Status, end.Attempts, end.Unconfirmed = status, row.Attempts-1, row.Unconfirmed-1
		if err := tx.setUnsent(ctx, end); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (tx *Tx) claim(ctx context.Context, lane Lane, program id.ID) (Message, error) {
	leaseEnd, giveUpAt := tx.now.Add(MessageLease), tx.now.Add(giveUpAfter)
	if lane.Bulk {
		return tx.q.ClaimTaskMessage(ctx, db.ClaimTaskMessageParams{
			Channel: lane.Channel, ProgramID: program, Now: tx.now, LeaseEnd: leaseEnd, GiveUpAt: giveUpAt,
		})
	}
	return tx.q.ClaimMessage(ctx, db.ClaimMessageParams{Channel: lane.Channel, Now: tx.now, LeaseEnd: leaseEnd, GiveUpAt: giveUpAt})
}

// unfit returns the state in which a claimed message that must not be sent ends, and why. It
// returns MessageScheduled if the message may be sent.
func (tx *Tx) unfit(due *Due) (status, reason string) {
	switch {
	case !due.Card.ExpiresAt.After(tx.now):
		return MessageDropped, "the card expired"
	case due.Card.Status != CardPending && due.Card.Status != CardActive:
		return MessageDropped, "the card is " + due.Card.Status
	case due.Unconfirmed > maxUnconfirmed:
		return MessageFailed, "handed over twice, without a word whether it was taken"
	}
	return MessageScheduled, ""
}

// RecordSent records that the message was sent, even if another worker has claimed it
// meanwhile. If it was the last message of its card, the card is delivered.
func (tx *Tx) RecordSent(ctx context.Context, due *Due) error {
	changed, err := tx.q.SetMessageSent(ctx, db.SetMessageSentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, SentAt: tx.now,
	})
	if err != nil || changed == 0 {
		return wrap(err, "record sent message")
	}
	tx.tally.message(due.Channel, MessageSent)
	// Lock the card first: when both channels are sent at once, the later one then sees the
	// earlier one, and marks the card as delivered.
	if err := tx.q.LockCard(ctx, due.ProgramID, due.CardID); err != nil {
		return fmt.Errorf("lock card: %w", err)
	}
	return wrap(tx.q.SetCardDelivered(ctx, tx.now, due.ProgramID, due.CardID), "record delivered card")
}

// RecordWritten records that the message was written to a file, even if another worker has
// claimed it meanwhile. The card does not count as delivered.
func (tx *Tx) RecordWritten(ctx context.Context, due *Due) error {
	changed, err := tx.q.SetMessageWritten(ctx, due.ProgramID, due.CardID, due.Channel)
	if changed > 0 {
		tx.tally.message(due.Channel, MessageWritten)
	}
	return wrap(err, "record written message")
}

// RecordRefused records that the message was refused for good. It has failed.
func (tx *Tx) RecordRefused(ctx context.Context, due *Due, reason string) error {
	end := unsent(due, reason)
	end.Status, end.Unconfirmed = MessageFailed, due.Unconfirmed-1
	return tx.setUnsent(ctx, end)
}

// RecordDeferred records that the message was not sent, or, if unconfirmed, that the outcome
// is unknown. The message is tried again after a pause. It has failed if it was tried for
// 24 hours, or if too many outcomes are unknown.
func (tx *Tx) RecordDeferred(ctx context.Context, due *Due, reason string, unconfirmed bool) error {
	end := unsent(due, reason)
	end.Status = MessageScheduled
	if !unconfirmed {
		end.Unconfirmed--
	}
	// The last attempt is made when the message is given up, however long the pause would be.
	last := *due.GiveUpAt
	end.NextAttemptAt = tx.now.Add(min(firstPause<<min(due.Attempts-1, 10), longestPause))
	if end.NextAttemptAt.After(last) {
		end.NextAttemptAt = last
	}
	if !tx.now.Before(last) || end.Unconfirmed >= maxUnconfirmed {
		end.Status = MessageFailed
	}
	return tx.setUnsent(ctx, end)
}

// ReleaseMessage takes back a claim of which nothing was sent. The message is due at once.
func (tx *Tx) ReleaseMessage(ctx context.Context, due *Due) error {
	end := unsent(due, "")
	end.Status, end.Attempts, end.Unconfirmed, end.NextAttemptAt = MessageScheduled, due.Attempts-1, due.Unconfirmed-1, tx.now
	end.LastError = due.LastError
	return tx.setUnsent(ctx, end)
}

// unsent returns the parameters that leave a claimed message as it is, except for the reason.
// Callers adjust the fields that change.
func unsent(due *Due, reason string) db.SetMessageUnsentParams {
	return db.SetMessageUnsentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Attempt: due.Attempts,
		Attempts: due.Attempts, Unconfirmed: due.Unconfirmed, NextAttemptAt: due.NextAttemptAt, LastError: &reason,
	}
}

func (tx *Tx) setUnsent(ctx context.Context, end db.SetMessageUnsentParams) error {
	changed, err := tx.q.SetMessageUnsent(ctx, end) // no row: another worker has claimed it by now
	if changed > 0 {
		tx.tally.message(end.Channel, end.Status)
	}
	return wrap(err, "record unsent message")
}

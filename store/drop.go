package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// MessageFilter chooses messages: those that fit everything that is not zero.
type MessageFilter struct {
	Cards     []id.ID
	Merchant  id.ID
	User      id.ID
	Task      uuid.UUID
	OlderThan time.Duration
}

// DroppedMessage is a message that an operator dropped.
type DroppedMessage struct {
	CardID id.ID
	// BeingSent: a sender has it at this moment, or handed it over in the last
	// MessageLease without a word whether it was taken. It may reach its recipient.
	BeingSent bool
}

// What is listed as the error of a message that an operator dropped.
const (
	droppedReason     = "dropped by an operator"
	droppedLateReason = "dropped by an operator while it was being sent, so it may have arrived"
)

// DropMessages ends the scheduled and failed messages that fit; nobody begins to send
// any of them any more. One that is being sent stays dropped whatever comes of it.
//
// A user's messages are those of cards that they created, alone or in bulk, for as
// long as the audit log is kept, and of their tasks for as long as those are kept.
func (tx *Tx) DropMessages(ctx context.Context, f MessageFilter) ([]DroppedMessage, error) {
	params := db.DropMessagesParams{
		MerchantID: nullable(f.Merchant), UserID: nullable(f.User), Before: tx.before(f.OlderThan),
		Now: tx.now, LeaseEnd: tx.now.Add(MessageLease), Reason: droppedReason, LateReason: droppedLateReason,
	}
	for _, card := range f.Cards {
		params.CardIds = append(params.CardIds, card[:])
	}
	if f.Task != uuid.Nil {
		params.TaskIds = []uuid.UUID{f.Task}
	}
	rows, err := tx.q.DropMessages(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("drop messages: %w", err)
	}
	return each(rows, func(r db.DropMessagesRow) DroppedMessage { return DroppedMessage(r) }), nil
}

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// MessageFilter chooses the messages that match every field that is not zero.
type MessageFilter struct {
	Cards     []id.ID
	Merchant  id.ID
	User      id.ID
	Task      uuid.UUID
	OlderThan time.Duration
	Kinds     []string // of messages and receipts; none: all
}

// DroppedMessage is a message that an operator dropped.
type DroppedMessage struct {
	CardID id.ID
	// BeingSent reports whether the message may still reach its recipient: a sender holds its
	// lease, and may be sending it or have sent it.
	BeingSent bool
}

// The reasons that are listed for a message that an operator dropped.
const (
	droppedReason     = "dropped by an operator"
	droppedLateReason = "dropped by an operator while it was being sent, so it may have arrived"
)

// DropMessages drops the scheduled, failed and written messages and receipts that match. From then on no
// worker begins to send one of them. A message that is being sent stays dropped, whatever the
// outcome is.
//
// A user's messages are those of the cards that they created, alone or in bulk, as far back
// as the audit log goes, and those of their tasks, as long as the tasks are kept.
func (tx *Tx) DropMessages(ctx context.Context, f MessageFilter) ([]DroppedMessage, error) {
	params := db.DropMessagesParams{
		MerchantID: nullable(f.Merchant), UserID: nullable(f.User), Before: tx.before(f.OlderThan),
		Now: tx.now, LeaseEnd: tx.now.Add(MessageLease), Reason: droppedReason, LateReason: droppedLateReason, Kinds: chosen(MessageKinds, f.Kinds),
	}
	// Empty filters stay nil, which the statement takes for "any".
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
	dropped := each(rows, func(r db.DropMessagesRow) DroppedMessage { return DroppedMessage(r) })
	ofReceipts := db.DropReceiptsParams(params)
	ofReceipts.Kinds = chosen(Receipts, f.Kinds)
	receipts, err := tx.q.DropReceipts(ctx, ofReceipts)
	if err != nil {
		return nil, fmt.Errorf("drop receipts: %w", err)
	}
	return append(dropped, each(receipts, func(r db.DropReceiptsRow) DroppedMessage { return DroppedMessage(r) })...), nil
}

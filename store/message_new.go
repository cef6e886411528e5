package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"giftcards/gen/db"
)

// newMessages returns the first messages of cards: one for each channel that the recipient has
// an address for, due at the card's deliver_at or at once.
func (tx *Tx) newMessages(cards []GiftCard, kind string, bulk bool) []db.CopyMessagesParams {
	var messages []db.CopyMessagesParams
	for i := range cards {
		card := &cards[i]
		for channel, address := range addresses(card) {
			messages = append(messages, db.CopyMessagesParams{
				ProgramID: card.ProgramID, CardID: card.ID, Channel: channel, Kind: kind, Address: address, Bulk: bulk,
				SendAt: tx.due(card), NextAttemptAt: tx.due(card), CreatedAt: tx.clock,
			})
		}
	}
	return messages
}

// addresses yields the channels over which the recipient of a card can be reached, each with
// the address, always in the same order.
func addresses(card *GiftCard) iter.Seq2[string, string] {
	return func(yield func(channel, address string) bool) {
		if card.CustomerEmail != nil && !yield(ChannelEmail, *card.CustomerEmail) {
			return
		}
		if card.CustomerPhone != nil {
			yield(ChannelSMS, *card.CustomerPhone)
		}
	}
}

// due returns when an unsent message of the card is due. It follows the clock, because the
// workers do.
func (tx *Tx) due(card *GiftCard) time.Time {
	if card.DeliverAt != nil && card.DeliverAt.After(tx.clock) {
		return *card.DeliverAt
	}
	return tx.clock
}

// insertMessages inserts messages of cards that were not issued by a task.
func (tx *Tx) insertMessages(ctx context.Context, messages []db.CopyMessagesParams) error {
	if len(messages) == 0 {
		return nil
	}
	// One round trip for all messages; COPY would need one more, to read the columns' types.
	batch := make([]db.InsertMessageParams, len(messages))
	for i, m := range messages {
		batch[i] = db.InsertMessageParams(m)
	}
	var failed error
	tx.q.InsertMessage(ctx, batch).Exec(func(_ int, err error) { failed = errors.Join(failed, err) })
	if failed != nil {
		return fmt.Errorf("insert messages: %w", failed)
	}
	return nil
}

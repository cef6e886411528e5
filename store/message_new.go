package store

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// newMessages returns the first messages of cards: one for each channel that the recipient has
// an address for, due at the card's deliver_at or at once.
func (tx *Tx) newMessages(cards []GiftCard, kind string, bulk bool) []*Message {
	var messages []*Message
	for i := range cards {
		card := &cards[i]
		for channel, address := range addresses(card) {
			messages = append(messages, &Message{
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

// messageColumns are the columns of messages that are written when a message is made. The others
// have their defaults.
var messageColumns = []column[*Message]{
	columnOf("program_id", "bytea", func(m *Message) id.ID { return m.ProgramID }),
	columnOf("card_id", "bytea", func(m *Message) id.ID { return m.CardID }),
	columnOf("channel", "text", func(m *Message) string { return m.Channel }),
	columnOf("kind", "text", func(m *Message) string { return m.Kind }),
	columnOf("sequence", "smallint", func(m *Message) int16 { return m.Sequence }),
	columnOf("address", "text", func(m *Message) string { return m.Address }),
	columnOf("bulk", "boolean", func(m *Message) bool { return m.Bulk }),
	columnOf("send_at", "timestamptz", func(m *Message) time.Time { return m.SendAt }),
	columnOf("next_attempt_at", "timestamptz", func(m *Message) time.Time { return m.NextAttemptAt }),
	columnOf("created_at", "timestamptz", func(m *Message) time.Time { return m.CreatedAt }),
}

// insertMessageSQL fails on messages_pkey if the card has such a message over the channel.
var insertMessageSQL = fmt.Sprintf("insert into messages (%s) values (%s)",
	strings.Join(names(messageColumns), ", "), parameters(messageColumns, 1, oneRow))

// insertMessages inserts messages of cards that were not issued by a task.
func (tx *Tx) insertMessages(ctx context.Context, messages []*Message) error {
	if len(messages) == 0 {
		return nil
	}
	// One round trip for all messages; COPY would need one more.
	batch := &pgx.Batch{}
	for _, message := range messages {
		batch.Queue(insertMessageSQL, values(messageColumns, message)...)
	}
	return wrap(tx.tx.SendBatch(ctx, batch).Close(), "insert messages")
}

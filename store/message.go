package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Message is a row of messages: the message about one card over one channel.
type Message = db.Message

// The channels of messages.
const (
	ChannelEmail = "email"
	ChannelSMS   = "sms"
)

// The states of a message.
const (
	MessageScheduled = "scheduled" // waits for its first or another attempt
	MessageSent      = "sent"      // the mail or SMS server took it
	MessageWritten   = "written"   // written to a file, so nobody got it; an operator may retry it
	MessageFailed    = "failed"    // given up; an operator may retry it
	MessageDropped   = "dropped"   // not to be sent: the card is of no use any more, or an operator dropped it
)

// MessageStates are all states of messages.
var MessageStates = []string{MessageScheduled, MessageSent, MessageWritten, MessageFailed, MessageDropped}

// Lane is a queue of messages. The messages of tasks have lanes of their own, in which
// programs take turns, so that no program waits for another one's 100,000 messages.
type Lane struct {
	Channel string
	Bulk    bool
}

const (
	// giveUpAfter is how long attempts go on after the first one.
	giveUpAfter = 24 * time.Hour
	// firstPause and longestPause bound the pause between two attempts, which doubles.
	firstPause, longestPause = 15 * time.Second, 30 * time.Minute
	// MessageLease is how long other workers leave a claimed message alone. Its worker must
	// send it and record the outcome in this time.
	MessageLease = 90 * time.Second
	// maxUnconfirmed is how many attempts may end without a known outcome. A third attempt
	// could be a third copy for the recipient.
	maxUnconfirmed = 2
)

// newMessages returns the rows of messages for cards: one for each channel that the recipient
// has an address for, due at the card's deliver_at or at once.
func (tx *Tx) newMessages(cards []GiftCard, bulk bool) []db.CopyMessagesParams {
	var messages []db.CopyMessagesParams
	for _, card := range cards {
		sendAt := tx.now
		if card.DeliverAt != nil && card.DeliverAt.After(sendAt) {
			sendAt = *card.DeliverAt
		}
		add := func(channel string, address *string) {
			if address != nil {
				messages = append(messages, db.CopyMessagesParams{
					ProgramID: card.ProgramID, CardID: card.ID, Channel: channel, Address: *address, Bulk: bulk,
					SendAt: sendAt, NextAttemptAt: sendAt, CreatedAt: tx.now,
				})
			}
		}
		add(ChannelEmail, card.CustomerEmail)
		add(ChannelSMS, card.CustomerPhone)
	}
	return messages
}

func (tx *Tx) insertMessages(ctx context.Context, cards []GiftCard) error {
	messages := tx.newMessages(cards, false)
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

// DueCount is how many messages of a lane are due, and since when the oldest has been.
type DueCount struct {
	// Program issued the cards; zero in the lane of cards that were issued at once, which
	// all programs share.
	Program id.ID
	Count   int64
	Oldest  time.Time // now without any
}

// CountDue counts the due messages of the lane. A lane of tasks has a count for each program,
// in the order of their ids. Each count stops at limit.
func (tx *Tx) CountDue(ctx context.Context, lane Lane, limit int) ([]DueCount, error) {
	if !lane.Bulk {
		due, err := tx.q.CountDueMessages(ctx, lane.Channel, tx.now, int32(limit))
		return []DueCount{{Count: due.Messages, Oldest: due.Oldest}}, wrap(err, "count due messages")
	}
	rows, err := tx.q.CountDueTaskMessages(ctx, lane.Channel, tx.now, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("count due messages of tasks: %w", err)
	}
	return each(rows, func(r db.CountDueTaskMessagesRow) DueCount {
		return DueCount{Program: id.ID(r.ProgramID), Count: r.Messages, Oldest: r.Oldest}
	}), nil
}

// Messages returns at most limit messages in a state, the latest first.
func (tx *Tx) Messages(ctx context.Context, status string, limit int) ([]Message, error) {
	if !slices.Contains(MessageStates, status) {
		return nil, fmt.Errorf("messages are never %q", status)
	}
	rows, err := tx.q.ListMessages(ctx, status, int32(limit))
	return rows, wrap(err, "list messages")
}

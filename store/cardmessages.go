package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// This file is about all messages of one card. A card that is sent again gets another message
// with the next sequence, and what was not sent before is dropped. So at most one message over
// a channel is scheduled, and the one with the greatest sequence is the one that counts.

// lockMessages locks and returns all messages of a card. Lock the card first, so that two
// transactions cannot deadlock. It fails with ErrCardBusy if another transaction holds one of
// them for longer than lockWait.
func (tx *Tx) lockMessages(ctx context.Context, card *Card) ([]Message, error) {
	messages, err := tx.q.LockMessages(ctx, card.ProgramID, card.ID)
	return messages, busy(wrap(err, "lock messages"))
}

// newest returns the latest of a card's messages over a channel, nil without any.
func newest(messages []Message, channel string) (found *Message) {
	for i := range messages {
		if m := &messages[i]; m.Channel == channel && (found == nil || m.Sequence > found.Sequence) {
			found = m
		}
	}
	return found
}

// mayHaveArrived reports whether any of the messages was handed over, perhaps without a
// confirmation. A message in a file counts, because it stands for a sent one in a trial.
func mayHaveArrived(messages []Message) bool {
	return slices.ContainsFunc(messages, func(m Message) bool {
		return m.Status == MessageSent || m.Status == MessageWritten || m.Unconfirmed > 0
	})
}

// firstKind returns the kind of message that tells the holder of the card about it. A later
// holder must not read the words that the sender wrote to the first holder.
func firstKind(messages []Message, history codeHistory) string {
	switch {
	case history.Transferred:
		return MessageOwner
	case slices.ContainsFunc(messages, func(m Message) bool { return m.Kind == MessageConsolidation }):
		return MessageConsolidation
	}
	return MessageCard
}

// nextMessage is a message to add to those of a card.
type nextMessage struct {
	kind, channel, address string
	sendAt                 time.Time
}

// replaceMessage adds a message after the last one over its channel, which may be nil, and
// drops those that are not sent yet. The card is not delivered until the message is sent.
func (tx *Tx) replaceMessage(ctx context.Context, card *Card, last *Message, next nextMessage, history codeHistory) error {
	if err := tx.dropMessagesOfCard(ctx, card, "a later message replaced it", next.channel); err != nil {
		return err
	}
	// A Message-ID must not come again. The last message may have been deleted, so the sequence
	// is also at least the number of changes that the ledger has counted.
	sequence := int16(history.Changes)
	if last != nil {
		sequence = max(sequence, last.Sequence+1)
	}
	card.Delivered = false
	return tx.insertMessages(ctx, []*Message{{
		ProgramID: card.ProgramID, CardID: card.ID, Channel: next.channel, Kind: next.kind, Sequence: sequence,
		Address: next.address, SendAt: next.sendAt, NextAttemptAt: next.sendAt, CreatedAt: tx.clock,
	}})
}

// dropMessagesOfCard drops the unsent messages of the card over the channels.
func (tx *Tx) dropMessagesOfCard(ctx context.Context, card *Card, reason string, channels ...string) error {
	return wrap(tx.q.ReplaceMessages(ctx, db.ReplaceMessagesParams{
		ProgramID: card.ProgramID, CardID: card.ID, Channels: channels, Now: tx.clock,
		Reason: reason, LateReason: reason + " while it was being sent, so it may have arrived",
	}), "drop messages of card")
}

// ScheduleDelivery moves the delivery of a pending or active card to a time; nil or a past
// one means at once. Over each channel that has not reached the recipient, the message gets the
// new time, whether it was scheduled, failed or dropped before.
//
// It fails with the refusal of the card's state, with ErrDelivered, with ErrNoRecipient, and
// with ErrDeliveryAfterExpiry. The caller saves the card.
func (tx *Tx) ScheduleDelivery(ctx context.Context, card *Card, at *time.Time) error {
	if err := card.refuseUnlessSendable(); err != nil {
		return err
	}
	switch {
	case card.Delivered:
		return ErrDelivered
	case card.CustomerEmail == nil && card.CustomerPhone == nil:
		return ErrNoRecipient
	case at != nil && at.After(card.ExpiresAt):
		return ErrDeliveryAfterExpiry
	}
	history, err := tx.codeHistory(ctx, card)
	if err != nil {
		return err
	}
	messages, err := tx.lockMessages(ctx, card)
	if err != nil {
		return err
	}
	// The messages are locked by now, so no worker can claim one while it is moved. A message
	// that was claimed before stays its sender's until the lease ends.
	card.change()
	card.DeliverAt = at
	due := tx.due(&card.GiftCard)
	for channel, address := range addresses(&card.GiftCard) {
		switch last := newest(messages, channel); {
		case last != nil && last.Status == MessageSent:
		case last != nil && last.Status == MessageScheduled:
			err = tx.q.MoveMessage(ctx, db.MoveMessageParams{
				SendAt: due, ProgramID: last.ProgramID, CardID: last.CardID, Channel: channel, Kind: last.Kind, Sequence: last.Sequence,
			})
		default:
			kind := firstKind(messages, history)
			if last != nil && last.Kind == MessageCode {
				kind = MessageCode
			}
			err = tx.replaceMessage(ctx, card, last, nextMessage{kind, channel, address, due}, history)
		}
		if err != nil {
			return fmt.Errorf("move message: %w", err)
		}
	}
	return nil
}

// HurryMessagesOfCard makes those messages of a card due that waited for the end of its
// suspension. Messages whose time has not come go on waiting. Lock the card first.
func (tx *Tx) HurryMessagesOfCard(ctx context.Context, program, card id.ID) error {
	return wrap(tx.q.HurryMessagesOfCard(ctx, db.HurryMessagesOfCardParams{
		ProgramID: program, CardID: card, Now: tx.clock, LeaseEnd: tx.clock.Add(MessageLease),
	}), "hurry messages of card")
}

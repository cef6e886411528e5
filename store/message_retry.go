package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Retry chooses the messages to send again, in addition to those that wait for another
// attempt.
type Retry int

// The choices.
const (
	RetryFailed  Retry = iota // failed messages
	RetrySent                 // failed, sent and written ones; those that were sent or written get another Message-ID
	RetryWritten              // only those that were written to files, and none that wait
)

var retriedStates = map[Retry][]string{
	RetryFailed: {MessageFailed}, RetrySent: {MessageFailed, MessageSent, MessageWritten}, RetryWritten: {MessageWritten},
}

// RetryMessages makes messages and receipts due at once: those of some cards, or of all cards if
// cards is empty, and those of the named kinds, or of all kinds. It returns the card of each. A
// message that had ended starts again like a new one; a message that waits for another attempt
// keeps its count. A message that is being sent is left alone. Only the newest message of a card
// over a channel is sent again, and only to the address that the card still has. A receipt that
// was sent, or that a server may have accepted, is never sent again.
func (tx *Tx) RetryMessages(ctx context.Context, cards []id.ID, which Retry, kinds ...string) ([]id.ID, error) {
	var ids [][]byte
	for _, card := range slices.SortedFunc(slices.Values(cards), id.ID.Compare) {
		ids = append(ids, card[:])
		if which == RetrySent {
			// A sequence is taken under the lock of its card.
			if _, err := tx.q.FindCardProgram(ctx, card); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return nil, fmt.Errorf("lock card: %w", err)
			}
		}
	}
	ofMessages := chosen(MessageKinds, kinds)
	ended, err := tx.q.RetryMessages(ctx, db.RetryMessagesParams{
		Now: tx.now, Again: which == RetrySent, States: retriedStates[which], Kinds: ofMessages, CardIds: ids,
	})
	if err != nil {
		return nil, fmt.Errorf("retry messages: %w", err)
	}
	if which != RetryWritten {
		// The end of a lease that begins now: a message whose next attempt is before it may be
		// being sent.
		waiting, err := tx.q.HurryMessages(ctx, db.HurryMessagesParams{Now: tx.now, LeaseEnd: tx.now.Add(MessageLease), Kinds: ofMessages, CardIds: ids})
		if err != nil {
			return nil, fmt.Errorf("hurry messages: %w", err)
		}
		ended = append(ended, waiting...)
	}
	receipts, err := tx.retryReceipts(ctx, ids, which, chosen(Receipts, kinds))
	return append(ended, receipts...), err
}

// retryReceipts is RetryMessages for receipts.
func (tx *Tx) retryReceipts(ctx context.Context, cards [][]byte, which Retry, kinds []string) ([]id.ID, error) {
	states := slices.DeleteFunc(slices.Clone(retriedStates[which]), func(state string) bool { return state == MessageSent })
	ended, err := tx.q.RetryReceipts(ctx, db.RetryReceiptsParams{Now: tx.now, GiveUpAt: tx.now.Add(giveUpAfter), States: states, Kinds: kinds, CardIds: cards})
	if err != nil || which == RetryWritten {
		return ended, wrap(err, "retry receipts")
	}
	waiting, err := tx.q.HurryReceipts(ctx, tx.now, kinds, cards)
	return append(ended, waiting...), wrap(err, "hurry receipts")
}

// Readdress gives the card another address for a channel, in the form that the API accepts,
// and schedules its message to go there, at its time or at once. A card without a message
// over the channel gets one. A message that was sent already is sent again only if again is
// set. It fails with ErrCardNotFound, and for a message that is being sent or was dropped.
func (tx *Tx) Readdress(ctx context.Context, card id.ID, channel, address string, again bool) error {
	program, err := tx.q.FindCardProgram(ctx, card)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrCardNotFound
	}
	if err != nil {
		return fmt.Errorf("find card: %w", err)
	}
	changed, err := tx.setCardAddress(ctx, program, card, channel, address)
	if err != nil {
		return fmt.Errorf("set address of card: %w", err)
	}
	messages, err := tx.q.LockMessages(ctx, program, card)
	if err != nil {
		return fmt.Errorf("lock messages: %w", err)
	}
	message := newest(messages, channel)
	if message == nil {
		if channel == ChannelEmail { // insert only the message of this channel
			changed.CustomerPhone = nil
		} else {
			changed.CustomerEmail = nil
		}
		return tx.insertMessages(ctx, tx.newMessages([]GiftCard{changed}, MessageCard, false))
	}
	// A running attempt would record its outcome, which is that of the old address.
	underWay := message.Status == MessageScheduled && message.Unconfirmed > 0 && message.NextAttemptAt.After(tx.now)
	switch {
	case underWay:
		return fmt.Errorf("the message of card %s is being sent, or may have been: try again in %s", card, MessageLease)
	case message.Status == MessageSent && !again:
		return fmt.Errorf("the message of card %s was sent: with --sent it is sent to the new address, too", card)
	case message.Status == MessageDropped:
		return fmt.Errorf("the message of card %s was dropped", card)
	}
	due := tx.now
	if message.SendAt.After(due) {
		due = message.SendAt
	}
	return wrap(tx.q.ReaddressMessage(ctx, db.ReaddressMessageParams{
		ProgramID: program, CardID: card, Channel: channel, Kind: message.Kind, Sequence: message.Sequence, Address: address, NextAttemptAt: due,
	}), "set address of message")
}

func (tx *Tx) setCardAddress(ctx context.Context, program, card id.ID, channel, address string) (GiftCard, error) {
	if channel == ChannelEmail {
		return tx.q.SetCardEmail(ctx, db.SetCardEmailParams{CustomerEmail: &address, Now: tx.now, ProgramID: program, ID: card})
	}
	return tx.q.SetCardPhone(ctx, db.SetCardPhoneParams{CustomerPhone: &address, Now: tx.now, ProgramID: program, ID: card})
}

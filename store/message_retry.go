package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Retry says which messages are to be sent again, beside those that wait for another
// attempt.
type Retry int

// What RetryMessages takes.
const (
	RetryFailed  Retry = iota // what failed
	RetrySent                 // what failed, was sent or was written; what left gets another Message-ID
	RetryWritten              // what was written to files, and nothing else
)

var retriedStates = map[Retry][]string{
	RetryFailed: {MessageFailed}, RetrySent: {MessageFailed, MessageSent, MessageWritten}, RetryWritten: {MessageWritten},
}

// RetryMessages makes messages due at once, and returns their cards, one for each
// message: of some cards, or of all if cards is empty. Those that ended are as if they
// were new; those that wait for another attempt have waited enough, unless only written
// ones are meant. A message that is being sent is left alone.
func (tx *Tx) RetryMessages(ctx context.Context, cards []id.ID, which Retry) ([]id.ID, error) {
	var ids [][]byte
	for _, card := range cards {
		ids = append(ids, card[:])
	}
	ended, err := tx.q.RetryMessages(ctx, db.RetryMessagesParams{Now: tx.now, Again: which == RetrySent, States: retriedStates[which], CardIds: ids})
	if err != nil || which == RetryWritten {
		return ended, wrap(err, "retry messages")
	}
	waiting, err := tx.q.HurryMessages(ctx, tx.now, tx.now.Add(MessageLease), ids)
	return append(ended, waiting...), wrap(err, "hurry messages")
}

// Readdress gives the card another address for a channel, which must be as the API
// accepts it, and sends its message there: at its time, or at once. A card without a
// message by the channel gets one. What was sent already is sent once more only if again
// is set. It fails with ErrCardNotFound, and for a message that is being sent or that was
// dropped.
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
	message, err := tx.q.LockMessage(ctx, program, card, channel)
	if errors.Is(err, pgx.ErrNoRows) {
		if channel == ChannelEmail { // only the message that there is none of
			changed.CustomerPhone = nil
		} else {
			changed.CustomerEmail = nil
		}
		return tx.insertMessages(ctx, []GiftCard{changed})
	}
	if err != nil {
		return fmt.Errorf("lock message: %w", err)
	}
	// An attempt under way would record what came of the old address.
	underWay := message.Status == MessageScheduled && message.Unconfirmed > 0 && message.NextAttemptAt.After(tx.now)
	switch {
	case underWay:
		return fmt.Errorf("the message of card %s is being sent, or may have been: try again in %s", card, MessageLease)
	case message.Status == MessageSent && !again:
		return fmt.Errorf("the message of card %s was sent: with --sent it is sent to the new address, too", card)
	case message.Status == MessageDropped:
		return fmt.Errorf("the message of card %s was dropped, because the card is of no more use", card)
	}
	due := tx.now
	if message.SendAt.After(due) {
		due = message.SendAt
	}
	return wrap(tx.q.SetMessageAddress(ctx, db.SetMessageAddressParams{
		ProgramID: program, CardID: card, Channel: channel, Address: address, NextAttemptAt: due,
	}), "set address of message")
}

func (tx *Tx) setCardAddress(ctx context.Context, program, card id.ID, channel, address string) (GiftCard, error) {
	if channel == ChannelEmail {
		return tx.q.SetCardEmail(ctx, db.SetCardEmailParams{CustomerEmail: &address, Now: tx.now, ProgramID: program, ID: card})
	}
	return tx.q.SetCardPhone(ctx, db.SetCardPhoneParams{CustomerPhone: &address, Now: tx.now, ProgramID: program, ID: card})
}

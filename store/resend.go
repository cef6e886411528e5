package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
	"giftcards/store/money"
)

const (
	// maxResends is how many new codes a card may get in resendWindow, because each one costs
	// a message and may annoy its recipient.
	maxResends   = 5
	resendWindow = time.Hour
)

// ResendLimitError refuses to resend a code, because maxResends were sent in resendWindow.
type ResendLimitError struct {
	RetryAfter time.Duration // above 0
}

// Error returns the sentence of the answer.
func (*ResendLimitError) Error() string { return "Too many requests" }

// ResendCode gives a pending or active card a new security code and sends it to the card's
// recipient. The email, phone and name of to that are not nil replace those of the card. The
// old code ends with the transaction. If nobody has begun to send the card's message, that one
// gets the new code and address and leaves at its time. Otherwise another message is due at once.
//
// It fails with the refusal of the card's state, with ErrNoRecipient, and with a
// *ResendLimitError. The caller saves the card.
func (tx *Tx) ResendCode(ctx context.Context, card *Card, to Recipient) error {
	if err := card.refuseUnlessSendable(); err != nil {
		return err
	}
	if card.CustomerEmail == nil && card.CustomerPhone == nil && to.Email == nil && to.Phone == nil {
		return ErrNoRecipient
	}
	history, err := tx.codeHistory(ctx, card)
	if err != nil {
		return err
	}
	if over := history.refusal(card.at); over != nil {
		return over
	}
	if err := tx.newCode(card); err != nil {
		return err
	}
	// The wrong codes were tried against the old code, so they must not lock the new one.
	if err := tx.ForgetCodeFailures(ctx, card.CardNumber); err != nil {
		return err
	}
	given := func(field **string, value *string) {
		if value != nil {
			*field = value
		}
	}
	given(&card.CustomerEmail, to.Email)
	given(&card.CustomerPhone, to.Phone)
	given(&card.CustomerName, (*string)(to.Name))
	// The entry moves no money. It is there because the limit counts resends in the ledger.
	card.post(EntryResendCode, money.Amount{}, Details{Description: describe(nil, "Gift card security code resend")})
	// The history was read before this entry, and the next Message-ID depends on the count.
	history.Changes++
	return tx.resendMessages(ctx, card, history)
}

// newCode gives the card another security code.
func (tx *Tx) newCode(card *Card) error {
	sealed, err := tx.store.keys.Seal(securityCode(), card.ID[:])
	if err != nil {
		return fmt.Errorf("seal security code: %w", err)
	}
	card.SealedCode = sealed
	return nil
}

// resendMessages sends a card that has a new code over every channel.
func (tx *Tx) resendMessages(ctx context.Context, card *Card, history codeHistory) error {
	messages, err := tx.lockMessages(ctx, card)
	if err != nil {
		return err
	}
	// A recipient who has had no message must read of the card, not of another code.
	kind := firstKind(messages, history)
	if card.Delivered || mayHaveArrived(messages) {
		kind = MessageCode
	}
	for channel, address := range addresses(&card.GiftCard) {
		last := newest(messages, channel)
		switch {
		case last != nil && untouched(last, tx.clock):
			err = tx.q.SetMessageAddress(ctx, db.SetMessageAddressParams{
				ProgramID: last.ProgramID, CardID: last.CardID, Channel: channel, Kind: last.Kind, Sequence: last.Sequence, Address: address, Now: tx.clock,
			})
		case last != nil && last.Status == MessageSent:
			err = tx.replaceMessage(ctx, card, last, nextMessage{kind, channel, address, tx.clock}, history)
		default: // a gift must not arrive before its time
			err = tx.replaceMessage(ctx, card, last, nextMessage{kind, channel, address, tx.due(&card.GiftCard)}, history)
		}
		if err != nil {
			return fmt.Errorf("resend message: %w", err)
		}
	}
	return nil
}

// untouched reports whether a message can take over a new code and address: no attempt was
// made, or its time was moved to a later one. A message that is being sent, or may have been
// sent, is unconfirmed. Its outcome is about the old code.
func untouched(m *Message, now time.Time) bool {
	return m.Status == MessageScheduled && m.Unconfirmed == 0 && (m.Attempts == 0 || m.SendAt.After(now))
}

// codeHistory is the history of a card's codes and owners, as the ledger has it.
type codeHistory db.FindCodeHistoryRow

func (tx *Tx) codeHistory(ctx context.Context, card *Card) (codeHistory, error) {
	found, err := tx.q.FindCodeHistory(ctx, card.at.Add(-resendWindow), card.ProgramID, card.ID)
	return codeHistory(found), wrap(err, "find history of codes")
}

// refusal returns an error if no code may be resent at a time.
func (h codeHistory) refusal(at time.Time) error {
	if len(h.Resends) < maxResends {
		return nil
	}
	// One more is allowed as soon as maxResends-1 are left in the window.
	return &ResendLimitError{RetryAfter: h.Resends[maxResends-1].Add(resendWindow).Sub(at)}
}

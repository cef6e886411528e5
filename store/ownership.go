package store

import (
	"context"

	"giftcards/store/id"
	"giftcards/store/money"
)

// TransferOwnership gives an active card to another holder: their name and email replace
// those of the card, and the phone goes, because it is the holder's before. A digital card
// gets a new security code and is sent to the new holder at once; the code of a physical one
// is printed on it, so it stays and nothing is sent. Messages to the holder before that were
// not sent are dropped.
//
// customer is the new holder's id, zero for none. As there are no customers, every other one
// fails with ErrCustomerNotFound. The card's state may refuse, too. The caller saves the card.
func (tx *Tx) TransferOwnership(ctx context.Context, card *Card, name, email string, customer id.ID) error {
	if !customer.IsZero() {
		return ErrCustomerNotFound
	}
	if err := card.refuseUnlessActive(); err != nil {
		return err
	}
	history, err := tx.codeHistory(ctx, card)
	if err != nil {
		return err
	}
	messages, err := tx.lockMessages(ctx, card)
	if err != nil {
		return err
	}
	if err := tx.dropMessagesOfCard(ctx, card, "the card got another owner", ChannelEmail, ChannelSMS); err != nil {
		return err
	}
	card.CustomerName, card.CustomerEmail, card.CustomerPhone = &name, &email, nil
	card.DeliverAt = nil // nothing waits for that time any more
	card.post(EntryOwnershipTransfer, money.Amount{}, Details{Description: describe(nil, "Gift card ownership transfer")})
	if card.IsPhysical {
		return nil
	}
	if err := tx.newCode(card); err != nil {
		return err
	}
	history.Changes++
	return tx.replaceMessage(ctx, card, newest(messages, ChannelEmail), nextMessage{MessageOwner, ChannelEmail, email, tx.clock}, history)
}

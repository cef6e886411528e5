package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// Refundable is an entry of a card, and how much of it has been refunded so far.
type Refundable struct {
	Entry    Entry
	Refunded money.Amount
}

// Refundable returns an entry of a card with the sum of its refunds. The card's lock keeps the
// sum true until the transaction ends. It fails with ErrEntryNotFound if the card has no such
// entry.
func (tx *Tx) Refundable(ctx context.Context, card *Card, entry id.ID) (Refundable, error) {
	found, err := tx.q.FindRefundable(ctx, card.ProgramID, card.ID, entry)
	if errors.Is(err, pgx.ErrNoRows) {
		return Refundable{}, ErrEntryNotFound
	}
	return Refundable{Entry: found.LedgerEntry, Refunded: found.Refunded}, wrap(err, "find entry to refund")
}

// Refund gives back an amount of a redemption, or all that is left of it if amount is nil. It
// works in every state except voided. A suspended or expired card stays so, a depleted one
// becomes active again, and the balance may go over MaxBalance, because a refusal would
// destroy money.
func (c *Card) Refund(r Refundable, amount *money.Amount, d Details) (Entry, error) {
	if c.State() == CardVoided {
		return Entry{}, ErrCardVoided
	}
	if r.Entry.Type != EntryRedemption {
		return Entry{}, ErrNotRefundable
	}
	// A redemption is below 0 in the ledger, because money left the card.
	left := r.Entry.Amount.Neg().Sub(r.Refunded)
	if left.Sign() <= 0 {
		return Entry{}, ErrRefunded
	}
	if amount == nil {
		amount = &left
	}
	if amount.Cmp(left) > 0 {
		return Entry{}, ErrRefundTooLarge
	}
	// The caller cannot choose the reference, because the refunds of a redemption are found by it.
	redemption := r.Entry.ID.String()
	d.ReferenceID, d.Description = &redemption, describe(d.Description, "Gift card refund")
	return c.post(EntryRefund, *amount, d), nil
}

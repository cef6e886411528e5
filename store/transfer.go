package store

import (
	"context"

	"giftcards/store/id"
	"giftcards/store/money"
)

// TransferCards are the two cards of a transfer.
type TransferCards struct {
	SourceNumber int64 // noNumber if the program has no such source
	Destination  id.ID // zero if the program has no such destination
}

// TransferCards returns what a transfer from a card of a program to the card with a number, as
// people type it, must know before it locks them. It does not fail if one is missing, because
// the security code is judged first.
func (s *Store) TransferCards(ctx context.Context, program, source id.ID, destination string) (TransferCards, error) {
	number, ok := ParseNumber(destination)
	if !ok {
		number = noNumber
	}
	row, err := s.q.FindTransferCards(ctx, program, source, numberOrder(number))
	if err != nil {
		return TransferCards{}, classify(wrap(err, "find cards of transfer"))
	}
	found := TransferCards{SourceNumber: row.SourceNumber}
	copy(found.Destination[:], row.DestinationID) // null without a card
	return found, nil
}

// Transfer moves an amount, which must be above 0, from an active card to another active card
// of the program, nil if there is none. Both entries have the transfer's id as their reference
// unless d has one.
func (c *Card) Transfer(to *Card, transfer id.ID, amount money.Amount, d Details) (out, in Entry, err error) {
	if to == nil {
		return Entry{}, Entry{}, ErrCardNotFound
	}
	if to.ID == c.ID {
		return Entry{}, Entry{}, ErrSameCard
	}
	for _, card := range []*Card{c, to} {
		if err := card.refuseUnlessActive(); err != nil {
			return Entry{}, Entry{}, err
		}
	}
	if amount.Cmp(c.Balance) > 0 {
		return Entry{}, Entry{}, ErrInsufficientBalance
	}
	if to.Balance.Add(amount).Cmp(MaxBalance) > 0 {
		return Entry{}, Entry{}, ErrTotalTooLarge
	}
	d.Description = describe(d.Description, "Gift card transfer")
	d.ReferenceID = describe(d.ReferenceID, transfer.String())
	return c.post(EntryTransferOut, amount.Neg(), d), to.post(EntryTransferIn, amount, d), nil
}

package store

import (
	"giftcards/store/id"
	"giftcards/store/money"
)

// Transfer moves an amount, which must be above 0, from an active card to another active card
// of the program. It fails with ErrCardNotFound if to is nil. Both entries have the transfer's
// id as their reference unless d has one.
func (c *Card) Transfer(to *Card, transfer id.ID, amount money.Amount, d Details) (out, in Entry, err error) {
	if to == nil {
		return Entry{}, Entry{}, ErrCardNotFound
	}
	// Otherwise the checks below could pass, and the card would get two entries that change nothing.
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

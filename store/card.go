package store

import (
	"slices"
	"time"

	"giftcards/gen/db"
	"giftcards/store/money"
)

// GiftCard is a row of gift_cards.
type GiftCard = db.GiftCard

// The states of a card, as answers name them. CardDepleted and CardExpired are never
// stored: they follow from the balance and from the time.
const (
	CardPending   = "pending"   // issued, and not activated yet
	CardActive    = "active"    // may be spent
	CardSuspended = "suspended" // stopped for now
	CardExpired   = "expired"   // past its date; the balance stays on it
	CardVoided    = "voided"    // ended for good, and empty
	CardDepleted  = "depleted"  // activated, and nothing is left
)

// StateOf returns the state of a card at a time. The SQL function card_state is the same.
//
// No row changes when a card expires or a suspension ends, so neither can be late.
func StateOf(c *GiftCard, at time.Time) string {
	switch {
	case c.Status == CardVoided:
		return CardVoided
	case c.ActivatedAt != nil && c.Balance.IsZero():
		return CardDepleted
	case !at.Before(c.ExpiresAt):
		return CardExpired
	case IsSuspended(c, at):
		return CardSuspended
	case c.ActivatedAt != nil:
		return CardActive
	}
	return CardPending
}

// IsSuspended reports whether a suspension of the card is in force at a time. A card that has
// expired or is depleted may be suspended too.
func IsSuspended(c *GiftCard, at time.Time) bool {
	return c.Status == CardSuspended && (c.SuspendedUntil == nil || c.SuspendedUntil.After(at))
}

// Card is a card that a transaction has locked. Its methods are the rules of a card's life:
// each judges the card and then changes it, or fails with an *Error and changes nothing.
// Tx.SaveCards, or the Movement that locked the card, writes what they did.
type Card struct {
	GiftCard
	at      time.Time // the time of the transaction
	entries []Entry   // new ones, oldest first
	changed bool
}

// State returns the card's state at the time of the transaction.
func (c *Card) State() string { return StateOf(&c.GiftCard, c.at) }

// At returns the time of the transaction, or that of the card's last change if that is
// later, so that the times of a card never go back when the clocks of servers differ.
func (c *Card) At() time.Time { return c.at }

// copied returns a copy of the card, which later changes of c do not affect. The copy of nil is
// the zero Card.
func (c *Card) copied() Card {
	if c == nil {
		return Card{}
	}
	copied := *c
	copied.entries = slices.Clip(c.entries) // an append to one must not write into the other
	return copied
}

// Details describe a movement for people; unknown ones are nil.
type Details struct {
	ReferenceID      *string
	Description      *string
	PosTransactionID *string
	CashierID        *string
	TerminalID       *string
}

// refuseUnlessActive fails unless the card may be spent.
func (c *Card) refuseUnlessActive() error {
	switch c.State() {
	case CardActive:
		return nil
	case CardExpired:
		return ErrCardExpired
	case CardVoided:
		return ErrCardVoided
	}
	return ErrCardNotActive
}

// refuseUnlessSendable fails unless the card may be sent to its recipient.
func (c *Card) refuseUnlessSendable() error {
	if c.State() == CardPending {
		return nil
	}
	return c.refuseUnlessActive()
}

// change marks the card as changed at its time, and ends a suspension that is over.
func (c *Card) change() {
	at := c.at
	c.UpdatedAt, c.changed = &at, true
	if c.Status == CardSuspended && !IsSuspended(&c.GiftCard, c.at) {
		c.endSuspension()
	}
}

// endSuspension stores the state that the card had before it was suspended.
func (c *Card) endSuspension() {
	c.Status = CardPending
	if c.ActivatedAt != nil {
		c.Status = CardActive
	}
	c.SuspendedAt, c.SuspendedUntil, c.SuspendedReason = nil, nil, nil
}

// Activate makes a pending card active, with its initial value as its balance. email and
// name replace those of the card, unless they are nil.
func (c *Card) Activate(email, name *string) error {
	switch c.State() {
	case CardPending:
	case CardExpired:
		return ErrCardExpired
	case CardVoided:
		return ErrCardVoided
	case CardSuspended:
		// A card that was suspended while it was pending has never been activated.
		if c.ActivatedAt == nil {
			return ErrCardNotActive
		}
		return ErrCardActivated
	default:
		return ErrCardActivated
	}
	if email != nil {
		c.CustomerEmail = email
	}
	if name != nil {
		c.CustomerName = name
	}
	c.post(EntryActivation, c.InitialValue, Details{Description: describe(nil, "Gift card activation")})
	// post needs the status of before, because it ends a suspension that is over.
	at := c.at
	c.ActivatedAt, c.Status = &at, CardActive
	return nil
}

// Redeem takes an amount, which must be above 0, from an active card.
func (c *Card) Redeem(amount money.Amount, d Details) (Entry, error) {
	if err := c.refuseUnlessActive(); err != nil {
		return Entry{}, err
	}
	if amount.Cmp(c.Balance) > 0 {
		return Entry{}, ErrInsufficientBalance
	}
	d.Description = describe(d.Description, "Gift card redemption")
	return c.post(EntryRedemption, amount.Neg(), d), nil
}

// Reload adds an amount, which must be above 0, to an active card. It fails with a
// *ReloadLimitError if the balance would go over MaxBalance.
func (c *Card) Reload(amount money.Amount, d Details) (Entry, error) {
	if err := c.refuseUnlessActive(); err != nil {
		return Entry{}, err
	}
	if c.Balance.Add(amount).Cmp(MaxBalance) > 0 {
		return Entry{}, &ReloadLimitError{Balance: c.Balance, Amount: amount}
	}
	d.Description = describe(d.Description, "Gift card reload")
	return c.post(EntryReload, amount, d), nil
}

// describe returns the caller's description, or the usual one without it.
func describe(given *string, usual string) *string {
	if given != nil {
		return given
	}
	return &usual
}

// MaxBalance is the largest balance that a reload, a transfer or a consolidation may make
// (document: "maximum balance of 10,000").
var MaxBalance = mustAmount("10000.00")

func mustAmount(text string) money.Amount {
	amount, err := money.Parse(text)
	if err != nil {
		panic(err)
	}
	return amount
}

// ReloadLimitError refuses a reload that would go over MaxBalance.
type ReloadLimitError struct {
	Balance, Amount money.Amount
}

// Error returns the sentence of the answer, without the amounts.
func (e *ReloadLimitError) Error() string { return "Reload would exceed maximum card balance" }

// Available returns the largest amount that could be reloaded.
func (e *ReloadLimitError) Available() money.Amount {
	left := MaxBalance.Sub(e.Balance)
	if left.Sign() < 0 { // a refund may have brought more onto the card
		return money.Amount{}
	}
	return left
}

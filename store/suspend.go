package store

import "time"

// Suspend stops a pending or active card until a time, or until it is resumed if until is
// nil. If the card is suspended already, Suspend replaces the reason and the end, and keeps the
// beginning.
func (c *Card) Suspend(reason *string, until *time.Time) error {
	switch c.State() {
	case CardExpired:
		return ErrCardExpired
	case CardVoided:
		return ErrCardVoided
	case CardDepleted:
		return ErrCardNotActive
	}
	c.suspend(reason, until)
	return nil
}

// Stop suspends a card until it is resumed, whatever state it is in, and fails with ErrCardVoided if
// it is voided. A depleted or expired card keeps its state. When a refund or an extension makes it
// usable again, it is suspended.
func (c *Card) Stop(reason *string) error {
	if c.State() == CardVoided {
		return ErrCardVoided
	}
	c.suspend(reason, nil)
	return nil
}

func (c *Card) suspend(reason *string, until *time.Time) {
	c.change() // ends a suspension that is over, so that this one begins now
	if c.Status != CardSuspended {
		at := c.at
		c.Status, c.SuspendedAt = CardSuspended, &at
	}
	c.SuspendedReason, c.SuspendedUntil = reason, until
}

// Resume lifts the suspension of a card, which is then as it was before.
func (c *Card) Resume() error {
	switch c.State() {
	case CardSuspended:
	case CardExpired:
		return ErrCardExpired
	case CardVoided:
		return ErrCardVoided
	default:
		return ErrCardNotSuspended
	}
	c.change()
	c.endSuspension()
	return nil
}

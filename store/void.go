package store

import (
	"fmt"
	"strings"
	"time"

	"giftcards/store/id"
)

// Void ends the card for good, in whatever state it is, and takes its balance. The entry is
// also written for an empty card. reason becomes its description.
func (c *Card) Void(reason *string) (Entry, error) {
	if c.State() == CardVoided {
		return Entry{}, ErrCardVoided
	}
	return c.end(EntryVoid, Details{Description: describe(reason, "Gift card void")}), nil
}

// Extend gives an expired card another lifetime. It counts from now, because one that counts
// from the old date could be over already. The card is then as it was before it expired.
func (c *Card) Extend(lifetime time.Duration) error {
	if err := c.refuseUnlessExpired(); err != nil {
		return err
	}
	c.change()
	c.ExpiresAt = c.at.Add(lifetime)
	return nil
}

// PayOut ends an expired card whose balance was paid out elsewhere, under a reference.
func (c *Card) PayOut(reference *string) (Entry, error) {
	if err := c.refuseUnlessExpired(); err != nil {
		return Entry{}, err
	}
	if c.Balance.IsZero() {
		return Entry{}, ErrNothingToPayOut
	}
	return c.end(EntryRefund, Details{ReferenceID: reference, Description: describe(nil, "Gift card refund")}), nil
}

// VoidExpired is Void for a card that must be expired.
func (c *Card) VoidExpired() (Entry, error) {
	if err := c.refuseUnlessExpired(); err != nil {
		return Entry{}, err
	}
	return c.Void(nil)
}

// refuseUnlessExpired fails unless the card is past its date and something of it is left.
func (c *Card) refuseUnlessExpired() error {
	switch c.State() {
	case CardExpired:
		return nil
	case CardVoided:
		return ErrCardVoided
	}
	return ErrCardNotExpired
}

// end takes the balance by an entry and voids the card. queueCards then drops the card's
// scheduled messages.
func (c *Card) end(kind string, d Details) Entry {
	entry := c.post(kind, c.Balance.Neg(), d)
	c.endSuspension()
	c.Status = CardVoided
	return entry
}

// The reasons that are listed for a message whose card was voided.
const (
	voidedReason     = "the card is voided"
	voidedLateReason = "the card was voided while the message was being sent, so it may have arrived"
)

// dropMessagesOfVoidedSQL drops the scheduled messages of cards at the time of their change.
// As in DropMessages, a sender holds a message until the end of its lease.
var dropMessagesOfVoidedSQL = fmt.Sprintf(`update messages m set status = '%s', next_attempt_at = v.at,
    last_error = case when m.unconfirmed > 0 and m.next_attempt_at > v.at and m.next_attempt_at <= v.at + interval '%d seconds'
        then '%s' else '%s' end
from unnest(%s) as v (%s)
where m.program_id = v.program_id and m.card_id = v.card_id and m.status = '%s'`,
	MessageDropped, int(MessageLease.Seconds()), voidedLateReason, voidedReason,
	parameters(voidedColumns, 1, "[]"), strings.Join(names(voidedColumns), ", "), MessageScheduled)

var voidedColumns = []column[*Card]{
	columnOf("program_id", "bytea", func(c *Card) id.ID { return c.ProgramID }),
	columnOf("card_id", "bytea", func(c *Card) id.ID { return c.ID }),
	columnOf("at", "timestamptz", func(c *Card) time.Time { return c.at }),
}

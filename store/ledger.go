package store

import (
	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/money"
)

// Entry is a row of ledger_entries: one movement of money on one card.
type Entry = db.LedgerEntry

// The types of entries. The vendor's PURCHASE is never written, because issuing a card moves
// no money.
const (
	EntryActivation        = "ACTIVATION"
	EntryReload            = "RELOAD"
	EntryRedemption        = "REDEMPTION"
	EntryRefund            = "REFUND"
	EntryTransferOut       = "TRANSFER_OUT"
	EntryTransferIn        = "TRANSFER_IN"
	EntryConsolidation     = "CONSOLIDATION"
	EntryVoid              = "VOID"
	EntryOwnershipTransfer = "OWNERSHIP_TRANSFER"
	EntryResendCode        = "RESEND_CODE"
)

// entryTypes are all types, in the order in which metrics count them.
var entryTypes = [...]string{
	EntryActivation, EntryReload, EntryRedemption, EntryRefund, EntryTransferOut, EntryTransferIn, EntryConsolidation, EntryVoid,
	EntryOwnershipTransfer, EntryResendCode,
}

// post is the only place where a balance changes: it adds amount, which is negative if money
// leaves the card, and keeps an entry that says so. The caller has judged the amount. A
// trigger of the database compares balance and entries again.
func (c *Card) post(kind string, amount money.Amount, d Details) Entry {
	c.change()
	entry := Entry{
		ProgramID: c.ProgramID, CardID: c.ID, ID: c.nextEntryID(), Type: kind,
		Amount: amount, BalanceBefore: c.Balance, BalanceAfter: c.Balance.Add(amount),
		ReferenceID: d.ReferenceID, Description: d.Description,
		PosTransactionID: d.PosTransactionID, CashierID: d.CashierID, TerminalID: d.TerminalID,
		CreatedAt: c.at,
	}
	c.Balance, c.LastEntryID = entry.BalanceAfter, entry.ID
	c.entries = append(c.entries, entry)
	return entry
}

// nextEntryID returns a new id that is greater than those of the card's entries. An id holds
// the second in which it was made, so within a second, and with clocks that differ, the id
// after the last one is taken.
func (c *Card) nextEntryID() id.ID {
	if next := id.New(c.at); next.After(c.LastEntryID) {
		return next
	}
	return c.LastEntryID.Next()
}

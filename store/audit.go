package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// AuditEntry is a row of audit_log. It holds ids, and neither names nor addresses of people.
type AuditEntry = db.AuditLog

// Audit writes an entry for what the transaction does, with its time. If e names no
// merchant, the entry has the program's.
func (tx *Tx) Audit(ctx context.Context, e AuditEntry) error {
	err := tx.q.InsertAuditEntry(ctx, db.InsertAuditEntryParams{
		At: tx.now, Operation: e.Operation, UserID: e.UserID, MerchantID: nullable(e.MerchantID), ProgramID: e.ProgramID,
		Subject: e.Subject, Cards: e.Cards, Client: e.Client, RequestID: e.RequestID, ClientRequestID: e.ClientRequestID,
	})
	return wrap(err, "insert audit entry")
}

// nullable returns the bytes of an id, nil for the zero ID.
func nullable(i id.ID) []byte {
	b, _ := i.BytesValue() // never fails
	return b
}

// AuditEntries returns at most limit entries since a time, the latest first. If merchant or
// user is not zero, it returns only entries about the merchant or of the user.
func (tx *Tx) AuditEntries(ctx context.Context, merchant, user id.ID, since time.Time, limit int) ([]AuditEntry, error) {
	rows, err := tx.q.ListAuditEntries(ctx, db.ListAuditEntriesParams{
		MerchantID: nullable(merchant), UserID: nullable(user), Since: since, UpTo: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	return rows, nil
}

package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// AuditEntry is a row of audit_log: who did what, from where. It holds ids, no
// names and addresses of people.
type AuditEntry = db.AuditLog

// Audit writes down what the transaction does, at its time. Of the merchant it
// needs no more than the program.
func (tx *Tx) Audit(ctx context.Context, e AuditEntry) error {
	err := tx.q.InsertAuditEntry(ctx, db.InsertAuditEntryParams{
		At: tx.now, Operation: e.Operation, UserID: e.UserID, MerchantID: nullable(e.MerchantID), ProgramID: e.ProgramID,
		Subject: e.Subject, Cards: e.Cards, Client: e.Client, RequestID: e.RequestID, ClientRequestID: e.ClientRequestID,
	})
	return wrap(err, "insert audit entry")
}

// nullable is the bytes of an id, nil of the zero ID.
func nullable(i id.ID) []byte {
	b, _ := i.BytesValue() // never fails
	return b
}

// AuditEntries returns the log since a time, the latest first, limit at most: of
// one merchant and one user unless those are zero.
func (tx *Tx) AuditEntries(ctx context.Context, merchant, user id.ID, since time.Time, limit int) ([]AuditEntry, error) {
	rows, err := tx.q.ListAuditEntries(ctx, db.ListAuditEntriesParams{
		MerchantID: nullable(merchant), UserID: nullable(user), Since: since, UpTo: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	return rows, nil
}

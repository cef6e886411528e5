package store

import "context"

// Messages are sent from one database only. A restored copy of it has the same messages
// to send, and must not: PostgreSQL gives it another identity. A standby that is promoted
// keeps the identity, and goes on.

// OwnsMessages reports whether messages are to be sent from this database. The first
// database that is asked is.
func (tx *Tx) OwnsMessages(ctx context.Context) (bool, error) {
	if err := tx.q.InsertMessageOrigin(ctx); err != nil {
		return false, wrap(err, "claim messages")
	}
	owns, err := tx.q.IsMessageOrigin(ctx)
	return owns, wrap(err, "find whose messages are")
}

// ResumeMessages has messages sent from this database, a copy, from now on.
func (tx *Tx) ResumeMessages(ctx context.Context) error {
	if err := tx.q.InsertMessageOrigin(ctx); err != nil {
		return wrap(err, "claim messages")
	}
	return wrap(tx.q.SetMessageOrigin(ctx), "take over messages")
}

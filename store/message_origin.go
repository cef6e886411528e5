package store

import "context"

// Messages are sent from one database only. A restored copy has the same messages and must
// not send them; PostgreSQL gives it another identity. A promoted standby keeps the identity
// of its primary, and goes on sending.

// OwnsMessages reports whether messages are sent from this database. The first call ever
// decides that they are.
func (tx *Tx) OwnsMessages(ctx context.Context) (bool, error) {
	if err := tx.q.InsertMessageOrigin(ctx); err != nil {
		return false, wrap(err, "claim messages")
	}
	owns, err := tx.q.IsMessageOrigin(ctx)
	return owns, wrap(err, "find the origin of messages")
}

// ResumeMessages makes this database, a copy, the one that messages are sent from.
func (tx *Tx) ResumeMessages(ctx context.Context) error {
	if err := tx.q.InsertMessageOrigin(ctx); err != nil {
		return wrap(err, "claim messages")
	}
	return wrap(tx.q.SetMessageOrigin(ctx), "take over messages")
}

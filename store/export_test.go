package store

import (
	"context"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/groupcommit"
)

// NarrowNumbers leaves the store only size card numbers, so that a test draws numbers that are
// taken. Their first 15 digits are prefix, prefix+1 and so on.
func NarrowNumbers(s *Store, prefix uint64, size uint64) {
	s.numbers = numberSpace{prefix: prefix, size: size}
}

// WaitingCreates returns the number of creates that wait for a transaction to share.
func WaitingCreates(s *Store) int { return s.creates.Waiting() }

// SharedAtOnce is the number of shared transactions of creates that run at a time.
const SharedAtOnce = groupcommit.MaxRunning

// WaitingMovements is WaitingCreates for movements.
func WaitingMovements(s *Store) int { return s.movements.Waiting() }

// CardFieldNames are the columns of a card in the order of CardTargets.
func CardFieldNames() []string { return each(cardFields, func(f cardField) string { return f.name }) }

// CardTargets returns pointers to the fields that the columns of a card are read into.
func CardTargets(c *GiftCard) []any {
	return each(cardFields, func(f cardField) any { return f.target(c) })
}

// ShortReach is the number of cards that one page of a search for one or two characters looks at.
const ShortReach = shortReach

// AskedTask is a task that a caller asks for, and the caller's access.
type AskedTask struct {
	Access Access
	Task   uuid.UUID
}

// FindTasks is FindTask for callers who ask at the same moment. A task that does not exist is nil.
func FindTasks(ctx context.Context, s *Store, asked []AskedTask) ([]*db.FindTaskRow, error) {
	return s.findTasks(ctx, each(asked, func(a AskedTask) db.FindTaskParams { return taskQuestion(a.Access, a.Task) }))
}

// TellProgress tells the progress of a task that this transaction does not issue.
func (tx *Tx) TellProgress(ctx context.Context, task uuid.UUID, written int) error {
	return tx.tellProgress(ctx, task, written)
}

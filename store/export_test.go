package store

import "giftcards/store/groupcommit"

// NarrowNumbers leaves the store only size card numbers, so that tests meet taken
// ones: those whose first 15 digits are prefix and what follows it.
func NarrowNumbers(s *Store, prefix uint64, size uint64) {
	s.numbers = numberSpace{prefix: prefix, size: size}
}

// WaitingCreates is how many creates wait for a transaction to share.
func WaitingCreates(s *Store) int { return s.creates.Waiting() }

// SharedAtOnce is how many shared transactions of creates run at a time.
const SharedAtOnce = groupcommit.MaxRunning

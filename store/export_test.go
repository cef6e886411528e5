package store

// NarrowNumbers leaves the store only size card numbers, so that tests meet taken
// ones: those whose first 15 digits are prefix and what follows it.
func NarrowNumbers(s *Store, prefix uint64, size uint64) {
	s.numbers = numberSpace{prefix: prefix, size: size}
}

// WaitingCreates is how many creates wait for a transaction to share.
func WaitingCreates(s *Store) int {
	s.creates.mutex.Lock()
	defer s.creates.mutex.Unlock()
	return len(s.creates.waiting)
}

// SharedAtOnce is how many shared transactions of creates run at a time.
const SharedAtOnce = sharers

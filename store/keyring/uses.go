package keyring

import (
	"sync"
	"sync/atomic"
)

// uses counts the codes that each key has sealed.
type uses struct{ byKey sync.Map } // from a key's id (uint32) to *atomic.Int64

func (u *uses) add(key uint32, n int64) {
	// Load comes first, because LoadOrStore would allocate for every seal.
	count, ok := u.byKey.Load(key)
	if !ok {
		count, _ = u.byKey.LoadOrStore(key, new(atomic.Int64))
	}
	count.(*atomic.Int64).Add(n)
}

// TakeUses returns the number of codes that each key has sealed, by the key's id, and starts
// to count from 0 again. A key that has sealed none is left out.
func (r *Ring) TakeUses() map[uint32]int64 {
	taken := map[uint32]int64{}
	r.uses.byKey.Range(func(key, count any) bool {
		if n := count.(*atomic.Int64).Swap(0); n != 0 {
			taken[key.(uint32)] = n
		}
		return true
	})
	return taken
}

// ReturnUses adds back counts that TakeUses returned and that could not be saved.
func (r *Ring) ReturnUses(taken map[uint32]int64) {
	for key, n := range taken {
		r.uses.add(key, n)
	}
}

package keyring

import (
	"sync"
	"sync/atomic"
)

// uses counts what each key for codes has sealed, by the key's id.
type uses struct{ byKey sync.Map } // uint32 to *atomic.Int64

func (u *uses) add(key uint32, n int64) {
	count, ok := u.byKey.Load(key)
	if !ok {
		count, _ = u.byKey.LoadOrStore(key, new(atomic.Int64))
	}
	count.(*atomic.Int64).Add(n)
}

// TakeUses returns how many codes each key has sealed, by its id, since the last
// call. It is empty if none has sealed any.
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

// ReturnUses gives back what TakeUses took and nobody wrote down.
func (r *Ring) ReturnUses(taken map[uint32]int64) {
	for key, n := range taken {
		r.uses.add(key, n)
	}
}

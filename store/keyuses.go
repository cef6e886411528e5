package store

import (
	"context"
	"maps"
	"slices"
)

// CodeKeyLimit is how many codes one key should seal at most. AES-GCM draws a random nonce of
// 96 bits for each code, and two equal nonces would weaken both codes. Up to 2^32 codes, the
// probability of that is below 2^-32 (NIST SP 800-38D). Half of this number leaves time to
// rotate, and covers the codes that a crash leaves uncounted.
const CodeKeyLimit = 1 << 31

// SaveKeyUses adds to the database how many codes this process has sealed since the last
// call. It returns how many codes all instances have sealed with the newest key. A crash
// loses at most the count since the last call.
func (s *Store) SaveKeyUses(ctx context.Context) (newest int64, err error) {
	taken := s.keys.TakeUses()
	newest, err = Write(ctx, s, func(tx *Tx) (int64, error) {
		if len(taken) > 0 {
			// Sorted, so that all servers lock the rows in the same order.
			var keys, sealed []int64
			for _, key := range slices.Sorted(maps.Keys(taken)) {
				keys, sealed = append(keys, int64(key)), append(sealed, taken[key])
			}
			if err := tx.q.AddKeyUses(ctx, keys, sealed); err != nil {
				return 0, wrap(err, "add key uses")
			}
		}
		newest, err := tx.q.FindKeyUses(ctx, int64(s.keys.CodeKey()))
		return newest, wrap(err, "find key uses")
	})
	if err != nil {
		s.keys.ReturnUses(taken) // better counted twice than never: the commit may have happened
	}
	return newest, err
}

// KeyUses returns how many codes each key has sealed, by the key's id.
func (tx *Tx) KeyUses(ctx context.Context) (map[uint32]int64, error) {
	rows, err := tx.q.ListKeyUses(ctx)
	if err != nil {
		return nil, wrap(err, "list key uses")
	}
	uses := map[uint32]int64{}
	for _, row := range rows {
		uses[uint32(row.KeyID)] = row.Sealed
	}
	return uses, nil
}

package store

import (
	"context"
	"maps"
	"slices"
)

// CodeKeyLimit is how many codes a key should seal at most. AES-GCM draws a random
// nonce of 96 bits for each; up to 2^32 the chance that two are the same, which
// would weaken both codes, stays below 2^-32 (NIST SP 800-38D). Half of that leaves
// time to rotate, and more than makes up for what a crash keeps uncounted.
const CodeKeyLimit = 1 << 31

// SaveKeyUses writes down how many codes the keys have sealed since the last call,
// and returns how many the newest has sealed in all, by all instances. What a crash
// loses is at most what was sealed since then.
func (s *Store) SaveKeyUses(ctx context.Context) (newest int64, err error) {
	taken := s.keys.TakeUses()
	newest, err = Write(ctx, s, func(tx *Tx) (int64, error) {
		if len(taken) > 0 {
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
		s.keys.ReturnUses(taken) // twice rather than never: a commit may have been done
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

package store

import "context"

// Capacity has the sizes that decide how much a card costs PostgreSQL in a large database. Card numbers
// are random, so nearly each new card touches another page of their index.
type Capacity struct {
	CardNumberIndex int64  // bytes of the index of card numbers
	SharedBuffers   int64  // bytes
	MaxWALSize      int64  // bytes
	WALCompression  string // off, on (pglz), pglz, lz4 or zstd
}

// Capacity reads the size of the index and the settings. Any role may do that.
func (s *Store) Capacity(ctx context.Context) (Capacity, error) {
	c, err := s.q.FindCapacity(ctx)
	return Capacity{c.CardNumberIndex, c.SharedBuffers, c.MaxWalSize, c.WalCompression}, wrap(err, "find capacity")
}

// smallIndex is the size in bytes up to which no setting of PostgreSQL matters: about half a
// million cards.
const smallIndex = 16 << 20

// SharedBuffersTooSmall reports whether the index does not fit into PostgreSQL's memory, so
// that a new card may wait for a page from the disk.
func (c Capacity) SharedBuffersTooSmall() bool {
	return c.CardNumberIndex > max(c.SharedBuffers, smallIndex)
}

// MaxWALSizeTooSmall reports whether checkpoints are so frequent that whole pages of the index
// are a large part of the WAL. PostgreSQL writes a whole page when it changes for the first
// time after a checkpoint, and a checkpoint begins after about half of max_wal_size.
func (c Capacity) MaxWALSizeTooSmall() bool {
	return c.CardNumberIndex > max(c.MaxWALSize/4, smallIndex)
}

// WALCompressionWasted reports whether PostgreSQL compresses many whole pages of the index in
// vain. on means pglz. pglz does not make pages of random numbers smaller, and takes several
// times the processor time of writing them as they are.
func (c Capacity) WALCompressionWasted() bool {
	return (c.WALCompression == "on" || c.WALCompression == "pglz") && c.MaxWALSizeTooSmall()
}

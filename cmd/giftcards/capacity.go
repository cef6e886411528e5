package main

import (
	"context"
	"log/slog"
	"time"

	"giftcards/store"
)

// adviceTimeout bounds how long a start waits for the sizes.
const adviceTimeout = 2 * time.Second

// adviseOnPostgres logs which settings of PostgreSQL are too small for its cards. It is only
// advice, so the server also starts if it cannot compare them.
func (s *session) adviseOnPostgres(st *store.Store) {
	ctx, cancel := context.WithTimeout(s, adviceTimeout)
	defer cancel()
	c, err := st.Capacity(ctx)
	if err != nil {
		s.log.Warn("the settings of PostgreSQL could not be compared with the size of its indexes", "error", err)
		return
	}
	advise(s.log.Logger, c)
}

func advise(log *slog.Logger, c store.Capacity) {
	log = log.With("card_number_index_bytes", c.CardNumberIndex)
	if c.SharedBuffersTooSmall() {
		log.Info("shared_buffers of PostgreSQL is smaller than the index of card numbers, so new cards wait for its pages: raise it above the size of the index",
			"shared_buffers_bytes", c.SharedBuffers)
	}
	if c.MaxWALSizeTooSmall() {
		log.Info("max_wal_size of PostgreSQL is less than four times the index of card numbers, so checkpoints are frequent, and after each one PostgreSQL writes whole pages of the index: raise it",
			"max_wal_size_bytes", c.MaxWALSize)
	}
	if c.WALCompressionWasted() {
		log.Info("wal_compression of PostgreSQL costs much processor time and saves nothing, because pglz cannot compress random card numbers: set it to lz4 or off",
			"wal_compression", c.WALCompression)
	}
}

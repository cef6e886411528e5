package main

import (
	"context"
	"log/slog"
	"time"

	"giftcards/store"
)

// adviceTimeout bounds how long a start waits for the sizes.
const adviceTimeout = 2 * time.Second

// adviseOnPostgres logs which settings of PostgreSQL do not suit the size of the index of card numbers. It is only
// advice, so the server also starts if it cannot compare them.
func (s *session) adviseOnPostgres(st *store.Store) {
	ctx, cancel := context.WithTimeout(s, adviceTimeout)
	defer cancel()
	c, err := st.Capacity(ctx)
	if err != nil {
		s.log.Warn("could not compare the settings of PostgreSQL with the size of the index of card numbers", "error", err)
		return
	}
	advise(s.log.Logger, c)
}

func advise(log *slog.Logger, c store.Capacity) {
	log = log.With("card_number_index_bytes", c.CardNumberIndex)
	if c.SharedBuffersTooSmall() {
		log.Info("shared_buffers of PostgreSQL is smaller than the index of card numbers, so new cards may wait for pages of the index: raise it above the size of the index",
			"shared_buffers_bytes", c.SharedBuffers)
	}
	if c.MaxWALSizeTooSmall() {
		log.Info("max_wal_size of PostgreSQL is less than four times the index of card numbers, so checkpoints are frequent, and after each one PostgreSQL writes whole pages of the index: raise it to at least four times the size of the index",
			"max_wal_size_bytes", c.MaxWALSize)
	}
	if c.WALCompressionWasted() {
		log.Info("wal_compression of PostgreSQL costs much processor time and saves nothing, because pglz cannot compress random card numbers: set it to lz4 or off",
			"wal_compression", c.WALCompression)
	}
}

package store_test

import (
	"testing"

	"giftcards/store"
	"giftcards/store/storetest"
)

// TestTheServingRoleReadsTheSettings as PostgreSQL shows them.
func TestTheServingRoleReadsTheSettings(t *testing.T) {
	t.Parallel()
	url := storetest.Serving(storetest.URL(t))
	st, err := store.Open(t.Context(), url, store.Options{MaxConns: 1})
	must(t, err)
	t.Cleanup(st.Close)
	got, err := st.Capacity(t.Context())
	must(t, err)
	var want store.Capacity
	must(t, connect(t, url).QueryRow(t.Context(), `select
		(select pg_relation_size(indexrelid) from pg_index where indrelid = 'gift_cards'::regclass and indisunique and not indisprimary),
		(select setting::bigint * 8192 from pg_settings where name = 'shared_buffers'),
		(select setting::bigint << 20 from pg_settings where name = 'max_wal_size'),
		(select setting from pg_settings where name = 'wal_compression')`).
		Scan(&want.CardNumberIndex, &want.SharedBuffers, &want.MaxWALSize, &want.WALCompression))
	if got != want || got.SharedBuffers == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAdviceIsGivenOnlyIfTheIndexOutgrowsASetting(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		store.Capacity

		buffers, wal, compression bool
	}{
		{store.Capacity{CardNumberIndex: 0, SharedBuffers: 128 * mib, MaxWALSize: 1024 * mib, WALCompression: "on"}, false, false, false},
		{store.Capacity{CardNumberIndex: 128 * mib, SharedBuffers: 128 * mib, MaxWALSize: 1024 * mib, WALCompression: "on"}, false, false, false},
		{store.Capacity{CardNumberIndex: 129 * mib, SharedBuffers: 128 * mib, MaxWALSize: 1024 * mib, WALCompression: "on"}, true, false, false},
		{store.Capacity{CardNumberIndex: 257 * mib, SharedBuffers: 128 * mib, MaxWALSize: 1024 * mib, WALCompression: "off"}, true, true, false},
		{store.Capacity{CardNumberIndex: 257 * mib, SharedBuffers: 512 * mib, MaxWALSize: 1024 * mib, WALCompression: "lz4"}, false, true, false},
		{store.Capacity{CardNumberIndex: 257 * mib, SharedBuffers: 512 * mib, MaxWALSize: 1024 * mib, WALCompression: "on"}, false, true, true},
		{store.Capacity{CardNumberIndex: 257 * mib, SharedBuffers: 512 * mib, MaxWALSize: 1024 * mib, WALCompression: "pglz"}, false, true, true},
		{store.Capacity{CardNumberIndex: 257 * mib, SharedBuffers: 512 * mib, MaxWALSize: 8192 * mib, WALCompression: "on"}, false, false, false},
		{store.Capacity{CardNumberIndex: 16 * mib, SharedBuffers: 1 * mib, MaxWALSize: 32 * mib, WALCompression: "on"}, false, false, false},
	} {
		if c.SharedBuffersTooSmall() != c.buffers || c.MaxWALSizeTooSmall() != c.wal || c.WALCompressionWasted() != c.compression {
			t.Errorf("%+v: %v, %v, %v", c, c.SharedBuffersTooSmall(), c.MaxWALSizeTooSmall(), c.WALCompressionWasted())
		}
	}
}

package main

import (
	"log/slog"
	"strings"
	"testing"

	"giftcards/store"
	"giftcards/store/storetest"
)

// TestAdviceOnPostgresIsALineForEachSetting. There is none for a database that is small enough.
func TestAdviceOnPostgresIsALineForEachSetting(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for _, c := range []struct {
		store.Capacity

		lines []string
	}{
		{store.Capacity{CardNumberIndex: gib / 16, SharedBuffers: gib / 8, MaxWALSize: gib, WALCompression: "on"}, nil},
		{store.Capacity{CardNumberIndex: gib, SharedBuffers: gib / 8, MaxWALSize: gib, WALCompression: "on"}, []string{
			"shared_buffers of PostgreSQL", "max_wal_size of PostgreSQL", "wal_compression of PostgreSQL",
		}},
	} {
		log := &storetest.Log{}
		advise(slog.New(slog.NewTextHandler(log, nil)), c.Capacity)
		lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		if log.String() == "" {
			lines = nil
		}
		if len(lines) != len(c.lines) {
			t.Errorf("of %+v the log says %q", c.Capacity, lines)
			continue
		}
		for i, want := range c.lines {
			if !strings.Contains(lines[i], `msg="`+want) || !strings.Contains(lines[i], "card_number_index_bytes=1073741824") {
				t.Errorf("line %d is %q, want one of %s", i+1, lines[i], want)
			}
		}
	}
}

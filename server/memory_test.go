package server_test

import (
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
)

// TestOpenMemoryCountsOpenStreamsAndBodies, and none that has ended.
func TestOpenMemoryCountsOpenStreamsAndBodies(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.BulkThreshold = 0 })
	m := s.Merchant()
	path := streamPaths(t, m, 1, 3_000, false)[0]
	useSmallBuffers(t, s)
	measured := func() int64 { return s.Handler.OpenMemory() }
	until := func(what string, done func(int64) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(measured()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d bytes after a minute", what, measured())
			}
		}
	}
	none := func(bytes int64) bool { return bytes == 0 }
	until("nothing is open yet", none)

	status, stream := openStream(t, s, path, m.Token, "")
	if bytes := measured(); status != 200 || bytes < 300<<10 {
		t.Errorf("an open stream (%d) counts as %d bytes", status, bytes)
	}
	must(t, stream.Close())
	until("after a stream", none)

	body := begin(t, s, m.Cards()+"/bulk", m.Token, inMedium)
	until("a body is announced", func(bytes int64) bool { return bytes >= inMedium })
	must(t, body.conn.Close())
	until("after a body", none)
}

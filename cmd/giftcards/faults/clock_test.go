package faults_test

import (
	"path/filepath"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// jumpingClock moves the server's clock back and forth while cards are created, replayed and issued by
// tasks. The clock is wrong by up to twelve days in either direction, so one jump is 24 days at most, which is
// within the lifetime of idempotency keys. The server runs in this process, because a test cannot change the
// clock of another process.
func jumpingClock(tr *trial) {
	tr.Helper()
	l, s, database := tr.newLoadHere()

	const farthest = 12 * 24 * time.Hour
	var moved time.Duration
	l.during(8, func() {
		for range full.Size(100, 10) {
			time.Sleep(tr.upTo(40 * time.Millisecond))
			to := tr.upTo(2*farthest) - farthest
			if tr.roll(2) == 0 {
				to = moved + tr.upTo(4*time.Second) - 2*time.Second // a correction by a time server
			}
			busy := l.busy()
			s.Clock.Move(to - moved)
			moved = to
			if busy { // a jump without requests tests nothing
				tr.faults.Add(1)
			}
		}
	})
	l.audit(database)
}

// newLoadHere returns a load on a server in this process, and its database.
func (tr *trial) newLoadHere() (l *load, s *servertest.Server, database string) {
	tr.Helper()
	database = storetest.URL(tr)
	s = servertest.NewOn(tr, database, filepath.Join(tr.TempDir(), "keys.json"), func(o *server.Options) {
		o.TokenLifetime, o.LinkLifetime = 1000*time.Hour, 1000*time.Hour
	})
	shop := s.Merchant()
	m := merchant{MerchantID: shop.ID, ProgramID: shop.ProgramID, token: shop.Token}
	return tr.newLoad(m, func() string { return s.URL }), s, database
}

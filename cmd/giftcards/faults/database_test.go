package faults_test

import (
	"time"

	"giftcards/cmd/giftcards/processtest"
)

// crashedDatabase crashes PostgreSQL under load and restarts it.
func crashedDatabase(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, pg.url())
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)
	l.during(8, func() {
		for range 40 {
			time.Sleep(tr.upTo(400 * time.Millisecond))
			busy := l.busy()
			pg.crash()
			if busy {
				tr.faults.Add(1)
			}
			time.Sleep(tr.upTo(50 * time.Millisecond))
			pg.start()
		}
	})
	if server.Ended() {
		tr.exceptionf("the server ended with its database: %s", server.LastWords())
	}
	l.audit(pg.adminIn())
}

package faults_test

import (
	"time"
)

// crashedDatabase crashes PostgreSQL under load and restarts it.
func crashedDatabase(tr *trial) {
	tr.Helper()
	dir := tr.directory()
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, pg.url())
	m.login(tr, server.url())
	l := tr.newLoad(m, server.url)
	l.during(8, func() {
		for range size(40, 3) {
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
	if server.ended() {
		tr.exceptionf("the server ended with its database: %s", lastWords(server.log))
	}
	l.audit(pg.adminIn())
}

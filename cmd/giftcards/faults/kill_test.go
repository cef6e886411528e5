package faults_test

import (
	"path/filepath"
	"time"
)

// killedServer kills the server at random moments while it issues cards and runs tasks.
func killedServer(tr *trial) {
	tr.Helper()
	dir := tr.directory()
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, pg.url())
	m.login(tr, server.url())
	l := tr.newLoad(m, server.url)

	var orders []*order
	for range size(2000, 40) {
		orders = append(orders, l.card())
	}
	for range size(200, 4) {
		orders = append(orders, l.blindCard())
	}
	for i := range size(200, 4) {
		orders = append(orders, l.bulk(threshold+1+tr.roll(250), i%2 == 0))
	}
	for i := range orders { // in a random order
		j := tr.roll(i + 1)
		orders[i], orders[j] = orders[j], orders[i]
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.run(8, l.list(orders))
	}()
	for {
		// A kill after a random number of answers and a random pause hits every phase of an
		// order.
		enough := l.answered.Load() + int64(tr.roll(12))
		for l.answered.Load() < enough && !over(done) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(tr.upTo(15 * time.Millisecond))
		if over(done) {
			break
		}
		busy := l.busy()
		server.kill()
		if busy {
			tr.faults.Add(1)
		}
		server.start()
	}
	l.audit(pg.adminIn())
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// oneOfTwoServers kills one of two servers on one database while both work.
func oneOfTwoServers(tr *trial) {
	tr.Helper()
	dir := tr.directory()
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	servers := []*giftcards{
		tr.newGiftcards(dir, pg.url()),
		tr.newGiftcards(tr.directory(), pg.url(), "--keys-file="+filepath.Join(dir, "keys.json"), "--no-share-transactions"),
	}
	m.login(tr, servers[0].url())
	l := tr.newLoad(m, servers[0].url, servers[1].url)
	l.during(8, func() {
		for range 60 {
			time.Sleep(tr.upTo(300 * time.Millisecond))
			victim := servers[tr.roll(2)]
			busy := l.busy()
			victim.kill()
			if busy {
				tr.faults.Add(1)
			}
			time.Sleep(tr.upTo(100 * time.Millisecond)) // meanwhile the other server works alone
			victim.start()
		}
	})
	l.audit(pg.adminIn())
}

package faults_test

import (
	"path/filepath"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/full"
)

// killedServer kills the server at random moments while it issues cards, moves their money and runs tasks.
func killedServer(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, pg.url())
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)

	var orders []*order
	for range full.Size(2000, 24) {
		orders = append(orders, l.card())
	}
	for range full.Size(200, 2) {
		orders = append(orders, l.blindCard())
	}
	for range full.Size(40, 1) {
		orders = append(orders, l.life())
	}
	for i := range full.Size(200, 2) {
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
		server.Kill()
		if busy {
			tr.faults.Add(1)
		}
		server.Start()
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
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	m := tr.newMerchant(dir, pg.url())
	servers := []*giftcards{
		tr.newGiftcards(dir, pg.url()),
		tr.newGiftcards(processtest.StateDir(tr), pg.url(), "GIFTCARDS_KEYS_FILE="+filepath.Join(dir, "keys.json"), "GIFTCARDS_SHARE_TRANSACTIONS=false"),
	}
	m.login(tr, servers[0].URL())
	l := tr.newLoad(m, servers[0].URL, servers[1].URL)
	l.during(8, func() {
		for range 60 {
			time.Sleep(tr.upTo(300 * time.Millisecond))
			victim := servers[tr.roll(2)]
			busy := l.busy()
			victim.Kill()
			if busy {
				tr.faults.Add(1)
			}
			time.Sleep(tr.upTo(100 * time.Millisecond)) // meanwhile the other server works alone
			victim.Start()
		}
	})
	l.audit(pg.adminIn())
}

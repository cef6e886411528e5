package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/full"
)

// cutConnections breaks the connection between server and database at every boundary between the
// statements of a create, of the movements of a life, of a small bulk request and of a task. It breaks it
// in every way: before the statement, while it runs, before its answer and after its answer. The short run
// cuts only a create, a redemption and a refund.
func cutConnections(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	p := tr.newProxy(pg.address())
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, databaseURL("giftcards", p.address(), ""))
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)

	c := &cutter{trial: tr, load: l, proxy: p, database: pg.adminIn()}
	c.every(func() []*order { return []*order{l.card()} })
	c.everyMovement("REDEMPTION", "REFUND")
	if full.Asked() {
		c.everyMovement("ACTIVATION", "RELOAD", "TRANSFER", "CONSOLIDATION", "VOID")
		c.every(func() []*order { return []*order{l.blindCard()} })
		c.every(func() []*order { return []*order{l.card(), l.card(), l.blindCard(), l.card(), l.blindCard(), l.card()} })
		c.every(func() []*order { return []*order{l.bulk(20, true)} })
		c.every(func() []*order { return []*order{l.bulk(threshold+1, true)} })
		c.every(func() []*order { return []*order{l.bulk(800, false)} })
		c.rest()
	}
	l.audit(pg.adminIn())
}

type cutter struct {
	*load
	trial    *trial
	proxy    *proxy
	database string
}

// every cuts at one boundary after another while concurrent orders run. It stops when the orders finish
// without a cut, because no boundary is left.
func (c *cutter) every(order func() []*order) {
	for mode := range modes {
		for n := 1; c.once(cut{mode: mode, left: n}, order()); n++ {
			if n > 300 {
				c.trial.Fatal("orders do not come to their end")
			}
		}
	}
}

// everyMovement is every for movements of a life, one after the other. It also cuts at the commit of each,
// because every may miss it.
func (c *cutter) everyMovement(entries ...string) {
	for _, entry := range entries {
		movement := func() []*order { return []*order{c.before(entry)} }
		c.every(movement)
		for mode := range modes {
			for n := 1; !c.once(cut{mode: mode, only: "commit", left: 1}, movement()); n++ {
				if n == 10 {
					c.trial.Fatalf("%s has no commit", entry)
				}
			}
		}
	}
}

// once makes orders and reports whether the cut happened during them.
func (c *cutter) once(what cut, orders []*order) bool {
	awaited := c.proxy.arm(what)
	c.run(len(orders), c.list(orders))
	if last := orders[len(orders)-1]; last.task {
		c.untilFinished(last, awaited)
	}
	if !c.proxy.disarm(awaited) {
		return false
	}
	c.trial.faults.Add(1)
	return true
}

// rest cuts at the boundaries that cutter.every missed because other statements came in between. Some
// boundaries are too rare to hit, such as those of River's clean-up.
func (c *cutter) rest() {
	for range 2 {
		for _, missed := range c.proxy.uncut() {
			c.once(missed, []*order{c.card(), c.bulk(10, true), c.bulk(threshold+1, true)})
		}
	}
	var never []string
	for _, missed := range c.proxy.uncut() {
		never = append(never, missed.mode.String()+" "+missed.only)
	}
	c.trial.Logf("seen, but not cut: %q", never)
	c.trial.note = fmt.Sprintf("%d of %d boundaries of %d statements", len(c.proxy.done), len(c.proxy.done)+len(never), len(c.proxy.seen))
}

// untilFinished waits for the end of the task or for the cut. An interrupted task recovers
// while the next one runs.
func (c *cutter) untilFinished(o *order, awaited *cut) {
	// An order without an answer was cut, and then the loop does not run.
	var accepted issued
	_ = json.Unmarshal(o.answer, &accepted)
	ctx, cancel := context.WithTimeout(c.trial.ctx, time.Minute)
	defer cancel()
	for !over(awaited.fired) {
		finished, err := ask[bool](ctx, c.database, "select status in ('completed', 'failed') from bulk_tasks where id = $1", accepted.TaskID)
		c.trial.must(err)
		if finished {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
)

// promotedStandby kills the primary under load and promotes its synchronous standby, five times back
// and forth. Both have the same address for the server.
func promotedStandby(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	primary := tr.newPostgres(dir)
	standby := &postgres{trial: tr, bin: primary.bin, data: filepath.Join(dir, "other"), port: processtest.FreePort(tr)}
	both := databaseURL("giftcards", primary.address()+","+standby.address(), "&target_session_attrs=read-write&connect_timeout=2")
	standby.follow(primary)
	m := tr.newMerchant(dir, both)
	server := tr.newGiftcards(dir, both)
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)
	var longest time.Duration
	l.during(8, func() {
		for range 5 {
			time.Sleep(500*time.Millisecond + tr.upTo(time.Second))
			busy := l.busy()
			primary.crash()
			if busy {
				tr.faults.Add(1)
			}
			standby.command("pg_ctl", "promote", "-w", "-D", standby.data)
			promoted := time.Now()
			l.carryOut(l.card())
			longest = max(longest, time.Since(promoted))
			time.Sleep(tr.upTo(500 * time.Millisecond))
			primary, standby = standby, primary
			standby.follow(primary)
		}
	})
	tr.note = fmt.Sprintf("writes again at most %s after a promotion", longest.Round(time.Millisecond))
	if longest > time.Second {
		tr.exceptionf("the first write came %s after the promotion", longest)
	}
	l.audit(primary.adminIn())
}

// mistakenAddress lets the server's only address lead to a standby for a second, ten times, like a DNS
// name that is changed too early. Sessions that begin in this time cannot write. They must end when
// the address is right again.
func mistakenAddress(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	primary := tr.newPostgres(dir)
	standby := &postgres{trial: tr, bin: primary.bin, data: filepath.Join(dir, "other"), port: processtest.FreePort(tr)}
	standby.follow(primary)
	p := tr.newProxy(primary.address())
	url := databaseURL("giftcards", p.address(), "&connect_timeout=2")
	m := tr.newMerchant(dir, url)
	server := tr.newGiftcards(dir, url)
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)
	var longest time.Duration
	l.during(8, func() {
		for range 10 {
			time.Sleep(tr.upTo(time.Second))
			p.lead(standby.address())
			tr.faults.Add(1)
			check.Until(tr, "not ready on a standby", func() bool { return !ok(server.URL() + "/readyz") })
			time.Sleep(time.Second)
			p.lead(primary.address())
			back := time.Now()
			l.carryOut(l.card())
			longest = max(longest, time.Since(back))
			check.Until(tr, "ready again", func() bool { return ok(server.URL() + "/readyz") })
		}
	})
	tr.note = fmt.Sprintf("writes again at most %s after the address leads to the primary", longest.Round(time.Millisecond))
	if longest > 2*time.Second {
		tr.exceptionf("the first write came %s after the address led to the primary again", longest)
	}
	l.audit(primary.adminIn())
}

// follow makes p a new synchronous standby of a primary.
func (p *postgres) follow(primary *postgres) {
	p.trial.Helper()
	p.trial.must(os.RemoveAll(p.data))
	p.trial.give(p.data)
	p.command("pg_basebackup", "-D", p.data, "-h", "127.0.0.1", "-p", fmt.Sprint(primary.port), "-U", "postgres", "-R", "-c", "fast", "--no-sync")
	p.start()
	primary.admin("alter system set synchronous_standby_names = '*'") // set after the copy, because a promoted standby would inherit it and has no standby of its own
	primary.admin("select pg_reload_conf()")
	check.Until(p.trial, "a synchronous standby", func() bool {
		state, err := ask[string](p.trial.ctx, primary.adminURL(), "select coalesce(min(sync_state), '') from pg_stat_replication")
		return err == nil && strings.TrimSpace(state) == "sync"
	})
}

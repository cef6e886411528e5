package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
)

// transactionPooler kills two servers, a pooler and the database in turn. The servers reach the
// database through PgBouncer, which lends a connection for one transaction at a time. The settings are
// those of docs/deployment.md.
func transactionPooler(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	pooler := tr.newPooler(dir, pg)
	through := databaseURL("giftcards", pooler.address, "&default_query_exec_mode=cache_describe")
	m := tr.newMerchant(dir, through)
	servers := []*giftcards{tr.newGiftcards(dir, through, "GIFTCARDS_POLL_ONLY=true"), tr.newGiftcards(dir, through, "GIFTCARDS_POLL_ONLY=true")}
	m.login(tr, servers[0].URL())
	l := tr.newLoad(m, servers[0].URL, servers[1].URL)
	l.during(8, func() {
		for i := range 45 {
			time.Sleep(tr.upTo(400 * time.Millisecond))
			if l.busy() {
				tr.faults.Add(1)
			}
			switch i % 3 {
			case 0:
				victim := servers[tr.roll(2)]
				victim.Kill()
				victim.Start()
			case 1:
				pooler.Kill()
				pooler.start()
			case 2:
				pg.crash()
				pg.start()
			}
		}
	})
	l.audit(pg.adminIn())
}

type pooler struct {
	*processtest.Process
	trial   *trial
	program string
	ini     string
	address string
}

func (tr *trial) newPooler(dir string, pg *postgres) *pooler {
	tr.Helper()
	found, err := exec.LookPath("pgbouncer")
	if err != nil {
		found = "/usr/sbin/pgbouncer" // Debian's path, which is not in users' PATH
	}
	if _, err := os.Stat(found); err != nil {
		tr.Fatal("PgBouncer is not installed: `apt-get install pgbouncer`, or your system's package of that name")
	}
	port := processtest.FreePort(tr)
	home := tr.give(filepath.Join(dir, "pooler"))
	p := &pooler{trial: tr, program: found, ini: filepath.Join(home, "pgbouncer.ini"), address: fmt.Sprintf("127.0.0.1:%d", port)}
	users := filepath.Join(home, "users.txt")
	tr.must(os.WriteFile(users, []byte(`"giftcards" ""`+"\n"), 0o644))
	tr.must(os.WriteFile(p.ini, fmt.Appendf(nil, `[databases]
giftcards = host=127.0.0.1 port=%d dbname=giftcards
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
server_login_retry = 1
`, pg.port, port, users), 0o644))
	p.start()
	return p
}

func (p *pooler) start() {
	p.trial.Helper()
	cmd, err := unprivileged(exec.Command(p.program, p.ini))
	p.trial.must(err)
	p.Process = processtest.Launch(p.trial, cmd, syscall.SIGKILL)
	check.Until(p.trial, "PgBouncer", func() bool {
		if p.Ended() {
			p.trial.Fatalf("PgBouncer ended: %s", p.LastWords())
		}
		_, err := ask[int](p.trial.ctx, databaseURL("giftcards", p.address, "&default_query_exec_mode=cache_describe"), "select 1")
		return err == nil
	})
}

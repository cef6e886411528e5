package faults_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
	"giftcards/store/storetest/check"
)

// postgres is a PostgreSQL of the test. It listens on a port, so that it keeps its address
// after a restart.
type postgres struct {
	*processtest.Process
	trial *trial
	bin   string // directory of its programs
	data  string
	port  int
	// through is a command that runs the program, such as a shell that sets limits.
	through []string
}

// installed is a stopped cluster. Each test starts a copy of it.
var installed struct {
	sync.Mutex
	bin  string // directory of PostgreSQL's programs, which the private server uses too
	data string // a directory that initdb made
}

// install returns the directories of installed.
func (tr *trial) install() (bin, data string) {
	tr.Helper()
	installed.Lock()
	defer installed.Unlock()
	if installed.bin == "" {
		private, err := embedded.Start(tr.ctx, embedded.Options{Ephemeral: true})
		tr.must(err)
		defer private.Stop(tr.ctx)
		bin, err := ask[string](tr.ctx, private.AdminURL(), "select setting from pg_config where name = 'BINDIR'")
		tr.must(err)
		dir, err := processtest.SharedDir("giftcards-initdb-")
		tr.must(err)
		p := &postgres{trial: tr, bin: bin, data: tr.give(filepath.Join(dir, "data"))}
		p.command("initdb", "-D", p.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1")
		installed.bin, installed.data = bin, p.data
	}
	return installed.bin, installed.data
}

// newPostgres makes and starts a server with an empty database giftcards, which belongs to the role
// giftcards.
func (tr *trial) newPostgres(dir string) *postgres {
	tr.Helper()
	bin, made := tr.install()
	p := &postgres{trial: tr, bin: bin, data: filepath.Join(dir, "data"), port: processtest.FreePort(tr)}
	out, err := exec.Command("cp", "-Rp", made, p.data).CombinedOutput() // with its owner
	if err != nil {
		tr.Fatalf("copy the database: %v %s", err, out)
	}
	p.start()
	for _, statement := range []string{"create role giftcards login", "create database giftcards owner giftcards"} {
		p.admin(statement)
	}
	return p
}

// command runs one of PostgreSQL's programs to its end.
func (p *postgres) command(name string, args ...string) {
	p.trial.Helper()
	cmd, err := unprivileged(exec.Command(filepath.Join(p.bin, name), args...))
	p.trial.must(err)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.trial.Fatalf("%s: %v %s", name, err, out)
	}
}

// start returns when the server accepts connections.
func (p *postgres) start(settings ...string) {
	p.trial.Helper()
	if !p.tryStart(settings...) {
		p.trial.Fatalf("PostgreSQL ended: %s", p.LastWords())
	}
}

func (p *postgres) tryStart(settings ...string) bool {
	p.trial.Helper()
	args := append(slices.Clone(p.through), filepath.Join(p.bin, "postgres"), "-D", p.data, "-p", fmt.Sprint(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync=off") // safe, because only processes die and not the machine
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd, err := unprivileged(exec.Command(args[0], args[1:]...))
	p.trial.must(err)
	p.Process = processtest.Launch(p.trial, cmd, syscall.SIGQUIT)
	check.Until(p.trial, "PostgreSQL", func() bool { return p.Ended() || p.accepts() })
	return !p.Ended()
}

func (p *postgres) accepts() bool {
	ctx, cancel := context.WithTimeout(p.trial.ctx, 5*time.Second)
	defer cancel()
	_, err := ask[int](ctx, p.adminURL(), "select 1")
	return err == nil
}

// crash is pg_ctl's stop -m immediate: sessions are interrupted and no data are written.
func (p *postgres) crash() { _ = p.Stop(syscall.SIGQUIT) }

func (p *postgres) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// url is the database's address for its owner. adminURL is the server's address for the superuser.
func (p *postgres) url() string { return databaseURL("giftcards", p.address(), "") }
func (p *postgres) adminURL() string {
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", p.address())
}

func databaseURL(role, address, settings string) string {
	return fmt.Sprintf("postgres://%s@%s/giftcards?sslmode=disable%s", role, address, settings)
}

// admin runs a statement as the superuser.
func (p *postgres) admin(statement string) {
	p.trial.Helper()
	conn, err := pgx.Connect(p.trial.ctx, p.adminURL())
	p.trial.must(err)
	defer conn.Close(p.trial.ctx)
	_, err = conn.Exec(p.trial.ctx, statement)
	p.trial.must(err)
}

// ask returns the single value of a query.
func ask[T any](ctx context.Context, url, query string, args ...any) (value T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, query, args...).Scan(&value)
	return value, err
}

// adminIn is the address of the database giftcards for the superuser.
func (p *postgres) adminIn() string { return databaseURL("postgres", p.address(), "") }

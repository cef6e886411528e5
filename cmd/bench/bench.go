package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bench is the state that all lines share.
type bench struct {
	options

	log    io.Writer
	dir    string
	db     *database
	server *process // serves all lines that have no flags of their own
	echo   *process
	shop   shop
	till   *till   // nil until a line needs it
	listed *listed // nil until a line needs it
	peers  []*process
	memory runtimeMemory
	warmUp time.Duration
	sizes  sizes
}

// sizes are numbers of cards.
type sizes struct {
	bulk, recipients int
	till             int   // active cards for the lines that move money
	download         int   // for each slow reader
	tasks, existing  []int // for growth
}

// line is a row of the result: a piece of the server's work and its floor.
type line struct {
	name, work, floor string
	unit              string  // of the rates
	target            float64 // the least ratio of ours to the floor; 0: none
	peer              bool    // measured with -peers only
	flags             []string
	setUp             func(context.Context) error
	ours              func(context.Context, *process) (round, error)
	bare              func(context.Context) (round, error)
}

func (b *bench) lines() []line {
	return slices.Concat(b.createLines(), b.moneyLines(), b.bulkLines(), b.readLines(), b.lookupLines(), b.listLines(), b.startLines(), b.peerLines())
}

// measure runs the wanted lines and prints the result.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bench{options: o, log: stderr, warmUp: time.Second, sizes: sizes{
		bulk: 1_000_000, recipients: 100_000, till: 10_000, download: 100_000,
		tasks: []int{10_000, 100_000, 1_000_000}, existing: []int{0, 1_000_000, 10_000_000},
	}}
	if o.quick {
		b.duration = min(b.duration, time.Second)
		b.sizes = sizes{bulk: 5_000, recipients: 1_000, till: 1_000, download: 1_000, tasks: []int{100, 1_000, 5_000}, existing: []int{0, 1_000, 10_000}}
	}
	if err := b.checkNames(o.only); err != nil {
		return err
	}
	// Check everything cheap before PostgreSQL starts.
	if _, err := os.Stat(o.giftcards); err != nil {
		return fmt.Errorf("no server to measure: %w (build one with make build)", err)
	}
	defer func() { err = errors.Join(err, b.close(ctx)) }()
	if err := b.open(ctx); err != nil {
		return err
	}
	// A line that fails does not stop the others: a full run takes too long to repeat.
	t := b.newTable(ctx)
	for _, l := range b.lines() {
		if !b.wanted(l.name, !l.peer || o.peers) {
			continue
		}
		row, err := b.measureLine(ctx, l)
		// After Ctrl-C every line would fail with an unhelpful error.
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			t.failed = errors.Join(t.failed, fmt.Errorf("%s: %w", l.name, err))
			continue
		}
		t.rows = append(t.rows, row)
	}
	if b.wanted(growthLine, o.growth) {
		if t.growth, t.creates, err = b.measureGrowth(ctx); err != nil {
			t.failed = errors.Join(t.failed, fmt.Errorf("%s: %w", growthLine, err))
		}
	}
	return errors.Join(t.print(stdout, b.server.cmd.Process.Pid, b.memory.peak.Load()), t.failed)
}

// wanted reports whether a line is measured. -only decides if it is given, and byDefault if not.
func (b *bench) wanted(name string, byDefault bool) bool {
	return slices.Contains(b.only, name) || len(b.only) == 0 && byDefault
}

// checkNames fails if one of names is not a line's.
func (b *bench) checkNames(names []string) error {
	// growth is not one of lines, because it has its own table.
	all := []string{growthLine}
	for _, l := range b.lines() {
		all = append(all, l.name)
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return fmt.Errorf("there is no line %q: want one of %s", name, strings.Join(all, ", "))
		}
	}
	return nil
}

// open starts PostgreSQL, the echo server and the giftcards server.
func (b *bench) open(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp(b.options.dir, "giftcards-bench-"); err != nil {
		return err
	}
	// MkdirTemp makes it with mode 0700.
	if err := os.Chmod(b.dir, 0o755); err != nil { //nolint:gosec // for root, PostgreSQL runs as another user
		return err
	}
	if b.db, err = startPostgres(ctx, b.dir); err != nil {
		return err
	}
	me, err := os.Executable()
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(b.port+1)
	if b.echo, err = start(ctx, b.dir, address, me, nil, echoCommand, address); err != nil {
		return err
	}
	if b.shop, err = b.openShop(ctx); err != nil {
		return err
	}
	go b.memory.watch(ctx, b.adminAddress())
	return nil
}

// close stops all processes and removes all data.
func (b *bench) close(ctx context.Context) (err error) {
	// The servers stop before their database, so that they log no errors.
	for _, p := range append([]*process{b.server, b.echo}, b.peers...) {
		if p != nil {
			p.stop()
		}
	}
	if b.db != nil {
		err = b.db.stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// fresh empties the tables and writes a checkpoint, so that every round begins in the same
// state and does not pay for the previous one. Each table is truncated in a transaction of
// its own, because the server's background work would otherwise cause deadlocks. The triggers
// that keep the audit log and the ledger append-only also bind their owner. Only a superuser can
// switch them off.
func (b *bench) fresh(ctx context.Context) error {
	return b.db.exec(ctx, "truncate gift_cards", "truncate messages", "truncate idempotency_keys",
		"truncate task_recipients", "truncate bulk_tasks",
		"truncate card_totals", "truncate code_failures",
		"set local session_replication_role = replica; truncate audit_log",
		"set local session_replication_role = replica; truncate ledger_entries", "checkpoint")
}

// ofShop is the SQL condition for the shop's rows.
func (b *bench) ofShop() string { return `program_id = '\x` + b.shop.programID + `'` }

// wantRows fails unless the shop has n rows in each table.
func (b *bench) wantRows(ctx context.Context, n int, tables ...string) error {
	for _, table := range tables {
		var got int
		if err := b.db.admin.QueryRow(ctx, "select count(*) from "+table+" where "+b.ofShop()).Scan(&got); err != nil {
			return err
		}
		if got != n {
			return fmt.Errorf("%s has %d rows, want %d", table, got, n)
		}
	}
	return nil
}

// measureLine measures the server and the floor in turns, so that a change of the machine's
// speed affects both.
func (b *bench) measureLine(ctx context.Context, l line) (row row, err error) {
	p := b.server
	// A line with flags gets a server of its own, beside the shared one.
	if l.flags != nil {
		if p, err = b.startServer(ctx, b.port+2, l.flags...); err != nil {
			return row, err
		}
		defer p.stop()
	}
	if l.setUp != nil {
		if err := l.setUp(ctx); err != nil {
			return row, err
		}
	}
	row.line = l
	for i := range b.rounds {
		ours, err := l.ours(ctx, p)
		if err != nil {
			return row, err
		}
		floor, err := l.bare(ctx)
		if err != nil {
			return row, fmt.Errorf("floor: %w", err)
		}
		row.ours, row.bare = append(row.ours, ours), append(row.bare, floor)
		fmt.Fprintf(b.log, "%s %d of %d: %s, floor %s %s, %.0f %%\n",
			l.name, i+1, b.rounds, number(ours.rate), number(floor.rate), l.unit, 100*ours.rate/floor.rate)
	}
	return row, nil
}

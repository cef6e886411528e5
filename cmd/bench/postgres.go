package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"giftcards/store/embedded"
)

// database is a private PostgreSQL with durable default settings and a superuser's
// connection.
type database struct {
	server        *embedded.Server
	admin         *pgx.Conn
	pid           int // of the postmaster
	psql, pgbench string
	runs          int // number of pgbench's runs
}

func startPostgres(ctx context.Context, dir string) (_ *database, err error) {
	server, err := embedded.Start(ctx, embedded.Options{StateDir: dir})
	if err != nil {
		return nil, err
	}
	d := &database{server: server}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop(ctx))
		}
	}()
	if d.admin, err = pgx.Connect(ctx, server.AdminURL()); err != nil {
		return nil, err
	}
	// The postmaster's process id is needed for its processor time.
	if d.pid, err = postmasterIn(dir); err != nil {
		return nil, err
	}
	return d, d.findClients(ctx)
}

// findClients looks for psql and pgbench beside the server's own programs, then
// in PATH.
func (d *database) findClients(ctx context.Context) error {
	var dir string
	if err := d.admin.QueryRow(ctx, "select setting from pg_config() where name = 'BINDIR'").Scan(&dir); err != nil {
		return err
	}
	for name, path := range map[string]*string{"psql": &d.psql, "pgbench": &d.pgbench} {
		*path = filepath.Join(dir, name)
		if _, err := os.Stat(*path); err == nil {
			continue
		}
		// The downloaded PostgreSQL contains neither of them.
		found, err := exec.LookPath(name)
		if err != nil {
			return fmt.Errorf("%s is neither in %s nor in PATH: install your system's packages with psql and pgbench (postgresql, and postgresql-contrib if there is one)", name, dir)
		}
		*path = found
	}
	return nil
}

func (d *database) stop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if d.admin != nil {
		_ = d.admin.Close(ctx)
	}
	return d.server.Stop(ctx)
}

// exec runs statements one after another, each in a transaction of its own.
func (d *database) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := d.admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// client runs psql or pgbench. Its environment is empty, so that the user's variables and
// files have no effect on it.
func (d *database) client(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

var (
	tpsPattern       = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \((?:without initial connection time|excluding connections establishing)\)`)
	processedPattern = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`)
)

// bench runs a pgbench script and returns its transactions per second, without the time to
// connect, and the number of transactions. The script gets the number of the run as :run
// and a counter :n.
func (d *database) bench(ctx context.Context, script string, clients, threads, seconds int) (tps float64, processed int, err error) {
	d.runs++
	out, err := d.client(ctx, d.pgbench, "-n", "-M", "prepared", "-D", "run="+strconv.Itoa(d.runs), "-D", "n=0", "-f", script,
		"-c", strconv.Itoa(clients), "-j", strconv.Itoa(threads), "-T", strconv.Itoa(seconds), d.server.URL())
	if err != nil {
		return 0, 0, err
	}
	return parsePgbench(out)
}

// parsePgbench reads the output of pgbench 13 and later.
func parsePgbench(out string) (tps float64, processed int, err error) {
	rate, number := tpsPattern.FindStringSubmatch(out), processedPattern.FindStringSubmatch(out)
	if rate == nil || number == nil {
		return 0, 0, fmt.Errorf("pgbench's output has no rate or no number of transactions: %s", out)
	}
	if tps, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return 0, 0, err
	}
	processed, err = strconv.Atoi(number[1])
	return tps, processed, err
}

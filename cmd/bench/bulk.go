package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

func (b *bench) bulkLines() []line {
	return []line{
		{
			name: "bulk", unit: "cards/s", target: 0.75,
			work:  "issue " + number(float64(b.sizes.bulk)) + " cards by count, from the 202 to `completed`",
			floor: "`\\copy` of the same rows into the same table with the same indexes",
			ours:  func(ctx context.Context, _ *process) (round, error) { return b.bulk(ctx) },
			bare:  b.bulkBare,
		},
		{
			name: "recipients", unit: "cards/s", target: 0.60,
			work:  "issue cards to " + number(float64(b.sizes.recipients)) + " recipients, from the request's first byte to `completed`",
			floor: "a bare server reads the body, then `\\copy` of the cards and the messages",
			ours:  func(ctx context.Context, _ *process) (round, error) { return b.recipients(ctx) },
			bare:  b.recipientsBare,
		},
	}
}

// bulk measures a task without recipients, and keeps its rows for the floor.
func (b *bench) bulk(ctx context.Context) (r round, err error) {
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	if r, err = b.issue(ctx, b.sizes.bulk); err != nil {
		return r, err
	}
	// copyBack writes these rows again for the floor.
	return r, b.keep(ctx, b.sizes.bulk, "gift_cards")
}

func (b *bench) bulkBare(ctx context.Context) (r round, err error) {
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	return b.copyBack(ctx, b.sizes.bulk, "gift_cards")
}

// issue lets a task issue cards by count, and measures the time from the 202 to completed.
func (b *bench) issue(ctx context.Context, cards int) (round, error) {
	return b.metered(b.server, func(r *round) error {
		task, err := b.accepted(ctx, fmt.Appendf(nil, `{"initialValue":"25.00","count":%d}`, cards))
		if err != nil {
			return err
		}
		// The clock starts with the 202: the request itself is not part of this line.
		begin := time.Now()
		if err := b.completed(ctx, task); err != nil {
			return err
		}
		r.took(cards, time.Since(begin))
		return nil
	})
}

func (r *round) took(units int, elapsed time.Duration) {
	r.units, r.rate = units, float64(units)/elapsed.Seconds()
}

func (b *bench) recipientsBody() []byte {
	var body bytes.Buffer
	body.WriteString(`{"initialValue":"25.00","recipients":[`)
	for i := range b.sizes.recipients {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"customerEmail":"grace.hopper.%d@example.com","customerName":"Grace Hopper","senderName":"Ada Lovelace","customMessage":"Happy birthday, Grace!"}`, i)
	}
	body.WriteString("]}")
	return body.Bytes()
}

// recipients measures a task with recipients, and keeps its rows for the floor.
func (b *bench) recipients(ctx context.Context) (r round, err error) {
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	body := b.recipientsBody()
	r, err = b.metered(b.server, func(r *round) error {
		// The clock starts before the request, because reading a large body is part of this
		// line.
		begin := time.Now()
		task, err := b.accepted(ctx, body)
		if err != nil {
			return err
		}
		if err := b.completed(ctx, task); err != nil {
			return err
		}
		r.took(b.sizes.recipients, time.Since(begin))
		return nil
	})
	if err != nil {
		return r, err
	}
	return r, b.keep(ctx, b.sizes.recipients, "gift_cards", "messages")
}

func (b *bench) recipientsBare(ctx context.Context) (r round, err error) {
	request, err := b.request(ctx, http.MethodPost, b.echo.address, b.cards()+"/bulk", b.recipientsBody())
	if err != nil {
		return r, err
	}
	begin := time.Now()
	answer, err := do(request)
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return r, err
	}
	// The floor is the time to read the body plus the time of COPY, one after the other.
	reading := time.Since(begin)
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	if r, err = b.copyBack(ctx, b.sizes.recipients, "gift_cards", "messages"); err != nil {
		return r, err
	}
	copying := time.Duration(float64(r.units) / r.rate * float64(time.Second))
	r.took(r.units, reading+copying)
	return r, nil
}

func (b *bench) kept(table string, rows int) string {
	return filepath.Join(b.dir, table+"-"+strconv.Itoa(rows)+".copy")
}

// keep checks the number of rows in tables, and writes the rows to files for copyBack. The
// files are in the order of the request, in which the server writes too.
func (b *bench) keep(ctx context.Context, rows int, tables ...string) error {
	if err := b.wantRows(ctx, rows, tables...); err != nil {
		return err
	}
	for _, table := range tables {
		// Both tables' primary keys begin with the program and the card.
		command := fmt.Sprintf(`\copy (select t.* from %s t where %s order by 1, 2) to '%s' (format binary)`, table, b.ofShop(), b.kept(table, rows)) //nolint:unqueryvet // COPY needs all columns
		// The binary format keeps every value exactly.
		if _, err := b.db.psqlTime(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// copyBack writes kept rows in one transaction. It uses the server's own tables instead of
// copies, so that no column or index can differ. An emptied table has new indexes.
func (b *bench) copyBack(ctx context.Context, rows int, tables ...string) (r round, err error) {
	commands := []string{"begin"}
	for _, table := range tables {
		commands = append(commands, fmt.Sprintf(`\copy %s from '%s' (format binary)`, table, b.kept(table, rows)))
	}
	elapsed, err := b.db.psqlTime(ctx, append(commands, "commit")...)
	if err != nil {
		return r, err
	}
	r.took(rows, elapsed)
	return r, b.wantRows(ctx, rows, tables...)
}

var timePattern = regexp.MustCompile(`(?m)^Time: ([0-9.]+) ms`)

// psqlTime runs commands in one psql session and returns their total time by psql's clock,
// which leaves out psql's own start.
func (d *database) psqlTime(ctx context.Context, commands ...string) (total time.Duration, err error) {
	// psql prints a time for each command.
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", d.server.URL(), "-c", `\timing on`}
	for _, command := range commands {
		args = append(args, "-c", command)
	}
	out, err := d.client(ctx, d.psql, args...)
	if err != nil {
		return 0, err
	}
	times := timePattern.FindAllStringSubmatch(out, -1)
	if len(times) != len(commands) {
		return 0, fmt.Errorf("psql timed %d of %d commands: %s", len(times), len(commands), out)
	}
	for _, found := range times {
		milliseconds, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(milliseconds * float64(time.Millisecond))
	}
	return total, nil
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"
)

func (b *bench) createLines() []line {
	create := func(name string, connections, clients int, target float64, flags ...string) line {
		l := line{
			name: name, unit: "requests/s", target: target, flags: flags,
			work:  fmt.Sprintf("create a card with an e-mail recipient and a key, %d connections", connections),
			floor: fmt.Sprintf("pgbench, one statement that writes the same rows, %d clients", clients),
			setUp: func(ctx context.Context) error { return b.writeCreateScript(ctx, 1) },
			ours:  func(ctx context.Context, p *process) (round, error) { return b.create(ctx, p, connections) },
			bare:  func(ctx context.Context) (round, error) { return b.createBare(ctx, clients, 1) },
		}
		if connections == 1 {
			l.work = strings.TrimSuffix(l.work, "s")
			l.floor = strings.TrimSuffix(l.floor, "s")
		}
		if flags != nil {
			l.work += ", `" + strings.Join(flags, " ") + "`"
		}
		return l
	}
	return []line{
		create("create", 64, 32, 0.90),
		create("create-unshared", 64, 32, 0.45, "--no-share-transactions"),
		create("create-single", 1, 1, 0.50),
		b.createEchoLine(),
		b.createBatchedLine(),
		// The floor is the server too, because the line shows whether it is slower with more
		// connections.
		{
			name: "create-1024", unit: "requests/s", target: 0.90,
			work:  "create a card with an e-mail recipient and a key, 1,024 connections",
			floor: "the same with 256 connections",
			ours:  func(ctx context.Context, p *process) (round, error) { return b.create(ctx, p, 1024) },
			bare:  func(ctx context.Context) (round, error) { return b.create(ctx, b.server, 256) },
		},
		b.createReadersLine(),
		b.refusedLine(),
	}
}

// batchedCreates is the number of creates in one statement of the batched floor. At 64
// connections, about as many creates share one transaction of the server.
const batchedCreates = 16

func (b *bench) createBatchedLine() line {
	return line{
		name: "create-batched", unit: "requests/s", target: 0.45,
		work:  "create a card with an e-mail recipient and a key, 64 connections",
		floor: fmt.Sprintf("pgbench, one statement that writes the rows of %d creates, 32 clients", batchedCreates),
		setUp: func(ctx context.Context) error { return b.writeCreateScript(ctx, batchedCreates) },
		ours:  func(ctx context.Context, p *process) (round, error) { return b.create(ctx, p, 64) },
		bare:  func(ctx context.Context) (round, error) { return b.createBare(ctx, 32, batchedCreates) },
	}
}

// createdIn are the tables that get one row for each create.
var createdIn = []string{"idempotency_keys", "gift_cards", "messages", "audit_log"}

func (b *bench) createBody() string { return b.shop.createBody() }

func (s shop) createBody() string {
	return fmt.Sprintf(`{"initialValue":"25.00","merchantId":%q,"customerName":"Grace Hopper","customerEmail":"grace.hopper@example.com","senderName":"Ada Lovelace","customMessage":"Happy birthday, Grace!"}`, s.merchantID)
}

func (b *bench) create(ctx context.Context, p *process, connections int) (r round, err error) {
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	return b.runCreates(ctx, p, connections)
}

func (b *bench) runCreates(ctx context.Context, p *process, connections int) (r round, err error) {
	return b.runCreateLoad(ctx, p, b.createLoad(p, connections))
}

// runCreateLoad runs a load of creates. Every answered request must have written one row to each table.
func (b *bench) runCreateLoad(ctx context.Context, p *process, l load) (r round, err error) {
	r, sent, err := b.under(ctx, p, l)
	if err != nil {
		return r, err
	}
	return r, b.wantRows(ctx, sent, createdIn...)
}

func (b *bench) createLoad(p *process, connections int) load {
	return load{
		address: p.address, connections: connections,
		prepare: func(request *fasthttp.Request) {
			request.SetRequestURI("http://" + p.address + b.cards())
			request.Header.SetMethod(http.MethodPost)
			request.Header.SetContentType("application/json")
			b.authorize(request)
			request.SetBodyString(b.createBody())
		},
		each: func(request *fasthttp.Request) { request.Header.Set("Idempotency-Key", uuid.NewString()) },
	}
}

// createBare lets pgbench write the same rows to the same tables.
func (b *bench) createBare(ctx context.Context, clients, batch int) (r round, err error) {
	if err := b.fresh(ctx); err != nil {
		return r, err
	}
	return b.runCreateScript(ctx, clients, batch)
}

// runCreateScript runs the script of writeCreateScript. batch is the number of creates in its
// statement.
func (b *bench) runCreateScript(ctx context.Context, clients, batch int) (r round, err error) {
	// The floor has the same warm-up as the server, and wantRows also counts the rows of the warm-up.
	r, sent, err := b.pgbench(ctx, b.createScript(), clients)
	if err != nil {
		return r, err
	}
	r.rate, r.units = r.rate*float64(batch), r.units*batch
	return r, b.wantRows(ctx, sent*batch, createdIn...)
}

func (b *bench) createScript() string { return filepath.Join(b.dir, "create.sql") }

// writeCreateScript writes a script for pgbench. Its one statement makes batch creates. The
// statement copies the rows that the server wrote for one card, but each create has its own key,
// card number and card id. The key and the number are random. The id begins with the current
// second, so that it goes to the end of the primary key's index, as the server's ids do. All other
// values are constants of a prepared statement. The server has to send them with each create,
// which is part of its cost.
func (b *bench) writeCreateScript(ctx context.Context, batch int) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	if err := b.post(ctx, b.cards(), b.createBody()); err != nil {
		return err
	}
	if err := b.wantRows(ctx, 1, createdIn...); err != nil {
		return err
	}
	// Each statement selects from the one before, so that all rows are written in one
	// round trip and only if the key is new.
	key, err := b.db.insert(ctx, "idempotency_keys", fmt.Sprintf("from generate_series(1, %d)", batch), map[string]string{"key": "gen_random_uuid()::text"})
	if err != nil {
		return err
	}
	card, err := b.db.insert(ctx, "gift_cards", "from (select row_number() over () as i from k) k", map[string]string{
		"id":          fmt.Sprintf("int4send(extract(epoch from now())::int) || int2send(:run::int2) || int2send(:client_id::int2) || int4send(:n::int * %d + k.i::int)", batch),
		"card_number": "9000000000000000 + floor(random() * 1e15)::bigint",
	})
	if err != nil {
		return err
	}
	message, err := b.db.insert(ctx, "messages", "from c", map[string]string{"card_id": "c.id"})
	if err != nil {
		return err
	}
	entry, err := b.db.insert(ctx, "audit_log", "from c", map[string]string{"subject": "c.id"})
	if err != nil {
		return err
	}
	script := fmt.Sprintf(`\set n :n + 1
with k as (%s on conflict do nothing returning key),
c as (%s on conflict do nothing returning id),
m as (%s)
%s;
`, key, card, message, entry)
	return os.WriteFile(b.createScript(), []byte(script), 0o600)
}

// insert returns a statement that inserts a table's last row again. other has SQL expressions for
// columns that get another value.
func (d *database) insert(ctx context.Context, table, from string, other map[string]string) (string, error) {
	//nolint:unqueryvet // the statement needs all columns
	rows, err := d.admin.Query(ctx, fmt.Sprintf(`
		select a.attname, format_type(a.atttypid, a.atttypmod), v.value
		from pg_attribute a
		join (select (json_each_text(row_to_json(t))).* from (select * from %[1]s order by ctid desc limit 1) t) v on v.key = a.attname
		where a.attrelid = '%[1]s'::regclass and v.value is not null
		order by a.attnum`, table))
	if err != nil {
		return "", err
	}
	var columns, values []string
	var column, kind, value string
	_, err = pgx.ForEachRow(rows, []any{&column, &kind, &value}, func() error {
		expression, ok := other[column]
		if !ok {
			expression = literal(value) + "::" + kind // in a select, a literal needs the column's type
		}
		columns, values = append(columns, column), append(values, expression)
		return nil
	})
	return fmt.Sprintf("insert into %s (%s) select %s %s", table, strings.Join(columns, ", "), strings.Join(values, ", "), from), err
}

// literal quotes a string so that pgbench does not take a part of it for a :variable.
func literal(value string) string {
	return "U&'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, `:`, `\003A`).Replace(value) + "'"
}

package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"giftcards/store/id"
)

// till is a set of active cards for the lines that move money.
type till struct {
	cards []tillCard // their ids ascend by one
}

// tillCard is a card of the till. Requests name it by its id, or by its number and code.
type tillCard struct {
	id           id.ID
	number, code string
}

const (
	// startBalance is the balance of each card at the start of a round: enough for half a
	// million redemptions of tillAmount, and half of the maximum that a transfer may reach.
	startBalance = "5000.00"
	tillAmount   = "0.01"
)

// openTill writes the active cards for a line. Only the first call issues and activates them.
func (b *bench) openTill(ctx context.Context) error {
	if b.till == nil {
		if err := b.makeTill(ctx); err != nil {
			return err
		}
	}
	return b.restoreTill(ctx)
}

// makeTill issues and activates the cards, and keeps their rows for restoreTill.
func (b *bench) makeTill(ctx context.Context) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	cards, err := b.issueForTill(ctx)
	if err != nil {
		return err
	}
	if err := b.activate(ctx, cards); err != nil {
		return fmt.Errorf("activate: %w", err)
	}
	if err := b.wantRows(ctx, len(cards), "gift_cards", "ledger_entries"); err != nil {
		return err
	}
	// Ids of pgbench's entries come from the sequence, because they must ascend on each card.
	err = b.db.exec(ctx, "create schema bench", "create table bench.gift_cards as table gift_cards",
		"create table bench.ledger_entries as table ledger_entries", "create sequence bench.entries",
		"grant usage on schema bench to public", "grant usage on sequence bench.entries to public")
	if err == nil {
		b.till = &till{cards: cards}
	}
	return err
}

// restoreTill empties the tables and writes the active cards and their first entries again.
func (b *bench) restoreTill(ctx context.Context) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	// The rows were checked when they were made, so the triggers need not check them again.
	return b.db.exec(ctx, `set local session_replication_role = replica;
		insert into gift_cards table bench.gift_cards;
		insert into ledger_entries table bench.ledger_entries`,
		"vacuum (analyze) gift_cards", "vacuum (analyze) ledger_entries", "checkpoint")
}

// issueForTill issues cards by a task and reads them from the CSV.
func (b *bench) issueForTill(ctx context.Context) (cards []tillCard, err error) {
	task, err := b.accepted(ctx, fmt.Appendf(nil, `{"initialValue":%q,"count":%d}`, startBalance, b.sizes.till))
	if err != nil {
		return nil, err
	}
	if err := b.completed(ctx, task); err != nil {
		return nil, err
	}
	link, err := b.link(ctx, b.shop.token, task)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	if err := b.get(ctx, b.shop.token, link, &text); err != nil {
		return nil, err
	}
	rows := csv.NewReader(strings.NewReader(text.String()))
	if _, err := rows.Read(); err != nil { // the header
		return nil, err
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return cards, nil
		}
		if err != nil {
			return nil, err
		}
		card, err := id.Parse(row[4])
		if err != nil {
			return nil, err
		}
		// pgbench adds a number to the first id, because that costs less than a look-up.
		if n := len(cards); n > 0 && cards[n-1].id.Next() != card {
			return nil, errors.New("the ids of a task's cards do not ascend by one")
		}
		cards = append(cards, tillCard{id: card, number: row[0], code: row[1]})
	}
}

// activate activates each of the cards, over many connections.
func (b *bench) activate(ctx context.Context, cards []tillCard) error {
	var next atomic.Int64
	l := b.tillLoad(b.server, 64)
	ctx, done := context.WithCancelCause(ctx)
	defer done(nil)
	l.each = func(request *fasthttp.Request) {
		n := next.Add(1) - 1
		// The load ends when the cards do. Until all connections see that, the last card is
		// activated again with its key, which changes nothing.
		if n >= int64(len(cards)) {
			done(errAllActive)
			n = int64(len(cards)) - 1
		}
		card := cards[n].id.String()
		b.tillRequest(request, l.address, card, "activate", card)
		request.SetBodyString("{}")
	}
	if _, _, err := l.run(ctx, answerTimeout); !errors.Is(context.Cause(ctx), errAllActive) {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

var errAllActive = errors.New("all cards are active")

// tillLoad is a load of an issuer's POST requests with JSON.
func (b *bench) tillLoad(p *process, connections int) load {
	return load{address: p.address, connections: connections, prepare: func(request *fasthttp.Request) {
		request.Header.SetMethod(http.MethodPost)
		request.Header.SetContentType("application/json")
		b.authorize(request)
	}}
}

// tillRequest addresses a request to an operation of a card.
func (b *bench) tillRequest(request *fasthttp.Request, address, card, operation, key string) {
	request.SetRequestURI("http://" + address + b.cards() + "/" + card + "/" + operation)
	request.Header.Set("Idempotency-Key", key)
}

// checkTill fails unless the server wrote its rows for each request sent, and unless the
// balances of all cards have changed by the amount that each request moves.
func (b *bench) checkTill(ctx context.Context, sent, entriesOfEach int, amount string) error {
	if err := b.wantRows(ctx, len(b.till.cards)+sent*entriesOfEach, "ledger_entries"); err != nil {
		return err
	}
	if err := b.wantRows(ctx, sent, "idempotency_keys", "audit_log"); err != nil {
		return err
	}
	var right bool
	err := b.db.admin.QueryRow(ctx, "select sum(balance) = $1::bigint * "+startBalance+" + $2::bigint * ("+amount+") from gift_cards",
		len(b.till.cards), sent).Scan(&right)
	if err == nil && !right {
		err = errors.New("the balances do not add up")
	}
	return err
}

// sqlID returns an SQL expression for the id of a card. A variable of pgbench has the card's
// place in the till, counted from 1.
func (t *till) sqlID(variable string) string {
	first := t.cards[0].id
	return fmt.Sprintf(`('\x%x'::bytea || int8send(('x%x')::bit(64)::bigint + :%s::bigint - 1))`, first[:4], first[4:], variable)
}

// pgbench measures a script of pgbench after a warm-up. It returns the number of
// transactions, including those of the warm-up.
func (b *bench) pgbench(ctx context.Context, script string, clients int) (r round, processed int, err error) {
	threads := min(clients, runtime.NumCPU())
	_, warm, err := b.db.bench(ctx, script, clients, threads, int(b.warmUp/time.Second))
	if err != nil {
		return r, 0, err
	}
	r.rate, r.units, err = b.db.bench(ctx, script, clients, threads, int(b.duration/time.Second))
	return r, warm + r.units, err
}

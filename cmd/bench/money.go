package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

func (b *bench) moneyLines() []line {
	move := func(m movement, name, work, floor string, connections, clients, cards int, target float64) line {
		script := filepath.Join(b.dir, name+".sql")
		return line{
			name: name, unit: "requests/s", target: target, work: work, floor: floor,
			setUp: func(ctx context.Context) error { return b.writeScript(ctx, m, script, cards) },
			ours: func(ctx context.Context, p *process) (round, error) {
				return b.move(ctx, m, p, connections, cards)
			},
			bare: func(ctx context.Context) (round, error) { return b.moveBare(ctx, m, script, clients) },
		}
	}
	const same = "pgbench, one statement that writes the same rows, "
	return []line{
		move(redemption, "redeem", "redeem with a key, 64 connections, "+number(float64(b.sizes.till))+" cards", same+"32 clients", 64, 32, b.sizes.till, 0.90),
		move(redemption, "redeem-single", "redeem with a key, 1 connection", same+"1 client", 1, 1, b.sizes.till, 0.50),
		move(redemption, "redeem-one", "redeem with a key, 64 connections, all from one card", same+"32 clients, one card", 64, 32, 1, 0.90),
		move(reload, "reload", "reload with a key, 64 connections, "+number(float64(b.sizes.till))+" cards", same+"32 clients", 64, 32, b.sizes.till, 0.90),
		move(reload, "reload-single", "reload with a key, 1 connection", same+"1 client", 1, 1, b.sizes.till, 0.50),
		b.transferLine(),
	}
}

// movement is an operation that moves tillAmount to a card or from it.
type movement struct {
	operation string // the end of its path
	sign      string // "-" takes money from the card, "+" puts it there
	body      string
}

var (
	redemption = movement{"redeem", "-", `{"amount":"` + tillAmount + `","posTransactionId":"S-2026-000417","cashierId":"grace","terminalId":"till-3"}`}
	reload     = movement{"reload", "+", `{"amount":"` + tillAmount + `"}`}
)

// move moves money of the first cards of the till, in turns, so that no two requests in
// flight have the same card unless there are fewer cards than connections.
func (b *bench) move(ctx context.Context, m movement, p *process, connections, cards int) (r round, err error) {
	if err := b.restoreTill(ctx); err != nil {
		return r, err
	}
	var next atomic.Int64
	l := b.tillLoad(p, connections)
	l.each = func(request *fasthttp.Request) {
		card := b.till.cards[int(next.Add(1))%cards]
		b.tillRequest(request, p.address, card.id.String(), m.operation, uuid.NewString())
		request.SetBodyString(m.body)
	}
	r, sent, err := b.under(ctx, p, l)
	if err != nil {
		return r, err
	}
	return r, b.checkTill(ctx, sent, 1, m.sign+tillAmount)
}

// moveBare lets pgbench write the same rows to the same tables.
func (b *bench) moveBare(ctx context.Context, m movement, script string, clients int) (r round, err error) {
	if err := b.restoreTill(ctx); err != nil {
		return r, err
	}
	r, sent, err := b.pgbench(ctx, script, clients)
	if err != nil {
		return r, err
	}
	return r, b.checkTill(ctx, sent, 1, m.sign+tillAmount)
}

// writeScript writes pgbench's statement for movements of the first cards of the till. As for
// create, it lets the server move money once and copies the rows. The triggers of the ledger
// check pgbench's rows too.
func (b *bench) writeScript(ctx context.Context, m movement, script string, cards int) error {
	if err := b.openTill(ctx); err != nil {
		return err
	}
	if err := b.moveOnce(ctx, m); err != nil {
		return err
	}
	if err := b.checkTill(ctx, 1, 1, m.sign+tillAmount); err != nil {
		return err
	}
	entry, err := b.db.insert(ctx, "ledger_entries", "from c", map[string]string{
		"card_id": "c.id", "id": "c.last_entry_id", "balance_before": "c.balance - (" + m.sign + tillAmount + ")", "balance_after": "c.balance",
	})
	if err != nil {
		return err
	}
	key, audit, err := b.keyAndAudit(ctx, "from c", "c.id")
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`\set card random(1, %d)
with c as (%s returning id, balance, last_entry_id),
e as (%s),
k as (%s)
%s;
`, cards, b.updateBalance(m.sign, "card", ""), entry, key, audit)
	return os.WriteFile(script, []byte(text), 0o600)
}

// moveOnce moves money of the till's first card.
func (b *bench) moveOnce(ctx context.Context, m movement) error {
	return b.post(ctx, b.cards()+"/"+b.till.cards[0].id.String()+"/"+m.operation, m.body)
}

// updateBalance returns a statement that adds tillAmount to the balance of a card (sign "+") or
// subtracts it ("-").
func (b *bench) updateBalance(sign, variable, from string) string {
	return strings.TrimSpace(fmt.Sprintf(`update gift_cards g set balance = g.balance %s %s,
	last_entry_id = int4send(2147483647) || int8send(nextval('bench.entries')), updated_at = now()
	%s where g.%s and g.id = %s`, sign, tillAmount, from, b.ofShop(), b.till.sqlID(variable)))
}

// keyAndAudit returns two statements: one inserts the last idempotency key again with a random
// key, and one inserts the last entry of the audit log again. Both get the given subject.
func (b *bench) keyAndAudit(ctx context.Context, from, subject string) (key, audit string, err error) {
	key, err = b.db.insert(ctx, "idempotency_keys", from, map[string]string{"key": "gen_random_uuid()::text", "subject": subject})
	if err != nil {
		return "", "", err
	}
	audit, err = b.db.insert(ctx, "audit_log", from, map[string]string{"subject": subject})
	return key, audit, err
}

// post sends one request with a key.
func (b *bench) post(ctx context.Context, path, body string) error {
	request, err := b.request(ctx, http.MethodPost, b.server.address, path, []byte(body))
	if err != nil {
		return err
	}
	request.Header.Set("Idempotency-Key", uuid.NewString())
	answer, err := do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

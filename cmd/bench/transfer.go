package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

func (b *bench) transferLine() line {
	script := filepath.Join(b.dir, "transfer.sql")
	cards := min(b.sizes.till, 1000) // few, so that transfers meet at cards
	return line{
		name: "transfer", unit: "requests/s", target: 0.60,
		work:  "transfer with a key and a security code, 64 connections, random pairs of " + number(float64(cards)) + " cards",
		floor: "pgbench, one statement that writes the same rows, 32 clients",
		setUp: func(ctx context.Context) error { return b.writeTransferScript(ctx, script, cards) },
		ours: func(ctx context.Context, p *process) (round, error) {
			return b.measureTransfers(ctx, func() (round, int, error) { return b.under(ctx, p, b.transferLoad(p, cards)) })
		},
		bare: func(ctx context.Context) (round, error) {
			return b.measureTransfers(ctx, func() (round, int, error) { return b.pgbench(ctx, script, 32) })
		},
	}
}

func (b *bench) transferLoad(p *process, cards int) load {
	l := b.tillLoad(p, 64)
	l.each = func(request *fasthttp.Request) {
		from, to := b.pair(cards)
		b.tillRequest(request, p.address, from.id.String(), "transfer", uuid.NewString())
		request.SetBodyString(transferBody(from, to))
	}
	return l
}

// pair returns two different cards, chosen at random from the first cards of the till.
func (b *bench) pair(cards int) (from, to tillCard) {
	i := rand.IntN(cards)                     //nolint:gosec // the load needs no secret numbers
	j := (i + 1 + rand.IntN(cards-1)) % cards //nolint:gosec // as above
	return b.till.cards[i], b.till.cards[j]
}

func transferBody(from, to tillCard) string {
	return fmt.Sprintf(`{"securityCode":%q,"destinationCardNumber":%q,"amount":%q}`, from.code, to.number, tillAmount)
}

// measureTransfers measures transfers on restored cards. It fails if PostgreSQL has counted a
// deadlock, even if the server tried again and the client saw no error.
func (b *bench) measureTransfers(ctx context.Context, transfers func() (round, int, error)) (r round, err error) {
	if err := b.restoreTill(ctx); err != nil {
		return r, err
	}
	before, err := b.deadlocks(ctx)
	if err != nil {
		return r, err
	}
	r, sent, err := transfers()
	if err != nil {
		return r, err
	}
	after, err := b.deadlocks(ctx)
	if err == nil && after != before {
		err = fmt.Errorf("%d deadlocks", after-before)
	}
	return r, errors.Join(err, b.checkTill(ctx, sent, 2, "0")) // two entries each, and the money stays
}

func (b *bench) deadlocks(ctx context.Context) (n int, err error) {
	err = b.db.admin.QueryRow(ctx, "select deadlocks from pg_stat_database where datname = current_database()").Scan(&n)
	return n, err
}

// writeTransferScript writes pgbench's statement for transfers, as writeScript does for redemptions
// and reloads: the server makes one transfer, and the statement copies its rows. It locks the card
// with the lower id first, as the server does, because "t" reads "f". The money goes from this card
// to the other one. The statement compares no security code.
func (b *bench) writeTransferScript(ctx context.Context, script string, cards int) error {
	if err := b.openTill(ctx); err != nil {
		return err
	}
	from, to := b.till.cards[0], b.till.cards[1]
	if err := b.post(ctx, b.cards()+"/"+from.id.String()+"/transfer", transferBody(from, to)); err != nil {
		return err
	}
	if err := b.checkTill(ctx, 1, 2, "0"); err != nil {
		return err
	}
	entry, err := b.db.insert(ctx, "ledger_entries", "from (select 'TRANSFER_OUT' as type, -"+tillAmount+" as amount, f.* from f union all select 'TRANSFER_IN', "+tillAmount+", t.* from t) c", map[string]string{
		"card_id": "c.id", "id": "c.last_entry_id", "type": "c.type", "amount": "c.amount",
		"balance_before": "c.balance - c.amount", "balance_after": "c.balance",
	})
	if err != nil {
		return err
	}
	key, audit, err := b.keyAndAudit(ctx, "from f, t", "f.id || t.id")
	if err != nil {
		return err
	}
	// y is 1 to n-1 places after x, and so never x. The server allows no transfer to the same card.
	text := fmt.Sprintf(`\set x random(1, %[1]d)
\set y 1 + mod(:x + random(0, %[1]d - 2), %[1]d)
\set low least(:x, :y)
\set high greatest(:x, :y)
with f as (%[2]s returning g.id, g.balance, g.last_entry_id),
t as (%[3]s returning g.id, g.balance, g.last_entry_id),
e as (%[4]s),
k as (%[5]s)
%[6]s;
`, cards, b.updateBalance("-", "low", ""), b.updateBalance("+", "high", "from f"), entry, key, audit)
	return os.WriteFile(script, []byte(text), 0o600)
}

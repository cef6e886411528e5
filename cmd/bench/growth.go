package main

import (
	"context"
	"fmt"
	"time"
)

const growthLine = "growth"

// growth is the time per card in tasks of one size on top of existing cards.
type growth struct {
	existing, task int
	ours, bare     []time.Duration // per card
}

// createGrowth is the rate of creates on top of existing cards.
type createGrowth struct {
	existing   int
	ours, bare []round
}

// growthRounds is smaller than the default of -rounds, because a round with 10 million
// cards takes minutes.
const growthRounds = 3

// measureGrowth issues cards by tasks of several sizes on top of more and more cards. Its
// floor is COPY of the same rows on top of the same cards. The floor shows how much slower
// PostgreSQL gets when its indexes no longer fit into memory.
func (b *bench) measureGrowth(ctx context.Context) (all []growth, creates []createGrowth, err error) {
	if err := b.writeCreateScript(ctx, 1); err != nil {
		return nil, nil, err
	}
	for _, existing := range b.sizes.existing {
		if err := b.fill(ctx, existing); err != nil {
			// A failure keeps what was measured, because the table is printed all the same.
			return all, creates, fmt.Errorf("fill: %w", err)
		}
		created, err := b.growCreates(ctx, existing)
		if err != nil {
			return all, creates, err
		}
		creates = append(creates, created)
		for _, task := range b.sizes.tasks {
			g := growth{existing: existing, task: task}
			for range min(b.rounds, growthRounds) {
				if err := b.grow(ctx, &g); err != nil {
					return all, creates, err
				}
			}
			fmt.Fprintf(b.log, "growth: %s cards on top of %s: %s a card, floor %s\n",
				number(float64(task)), number(float64(existing)), microseconds(median(g.ours)), microseconds(median(g.bare)))
			all = append(all, g)
		}
	}
	return all, creates, nil
}

// growCreates measures creates over 64 connections, and then pgbench's creates, each on top of
// the existing cards.
func (b *bench) growCreates(ctx context.Context, existing int) (g createGrowth, err error) {
	g.existing = existing
	for range min(b.rounds, growthRounds) {
		if err := b.deleteShopCards(ctx); err != nil {
			return g, err
		}
		ours, err := b.runCreates(ctx, b.server, 64)
		if err != nil {
			return g, err
		}
		// Both sides must begin with the same cards, and the server has just written more.
		if err := b.deleteShopCards(ctx); err != nil {
			return g, err
		}
		bare, err := b.runCreateScript(ctx, 32, 1)
		if err != nil {
			return g, fmt.Errorf("floor: %w", err)
		}
		g.ours, g.bare = append(g.ours, ours), append(g.bare, bare)
	}
	return g, nil
}

// grow measures one round: a task and then COPY of the same cards, each on top of the
// existing cards.
func (b *bench) grow(ctx context.Context, g *growth) error {
	// Both halves begin with the existing cards only.
	if err := b.deleteShopCards(ctx); err != nil {
		return err
	}
	ours, err := b.issue(ctx, g.task)
	if err != nil {
		return err
	}
	if err := b.keep(ctx, g.task, "gift_cards"); err != nil {
		return err
	}
	if err := b.deleteShopCards(ctx); err != nil {
		return err
	}
	bare, err := b.copyBack(ctx, g.task, "gift_cards")
	if err != nil {
		return err
	}
	g.ours, g.bare = append(g.ours, ours.each()), append(g.bare, bare.each())
	return nil
}

// each returns the time per unit.
func (r round) each() time.Duration { return time.Duration(float64(time.Second) / r.rate) }

// deleteShopCards deletes the shop's cards and keeps the cards that fill has written.
func (b *bench) deleteShopCards(ctx context.Context) error {
	return b.db.exec(ctx, "delete from gift_cards where "+b.ofShop(), "truncate messages", "truncate idempotency_keys",
		"set local session_replication_role = replica; truncate audit_log", "vacuum gift_cards", "checkpoint")
}

// fill empties the tables and writes the given number of cards. They have random numbers and
// a program that does not exist, and otherwise look like the server's own.
func (b *bench) fill(ctx context.Context, cards int) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	if cards == 0 {
		return nil
	}
	// A task issues a row that the insert below copies.
	if _, err := b.issue(ctx, b.sizes.tasks[0]); err != nil {
		return err
	}
	insert, err := b.db.insert(ctx, "gift_cards", fmt.Sprintf("from generate_series(1, %d) as i on conflict do nothing", cards), map[string]string{
		"program_id":  `decode(repeat('ff', 12), 'hex')`,
		"id":          "int4send(0) || int8send(i)",
		"card_number": "9000000000000000 + floor(random() * 1e15)::bigint",
	})
	if err != nil {
		return err
	}
	return b.db.exec(ctx, insert)
}

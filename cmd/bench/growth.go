package main

import (
	"context"
	"fmt"
	"time"
)

const growthLine = "growth"

// growth is what a card costs in tasks of one size, with cards there already.
type growth struct {
	existing, task int
	ours, bare     []time.Duration // for a card
}

// growthRounds are fewer than others: with 10 million cards, one takes minutes.
const growthRounds = 3

// measureGrowth issues cards by tasks of several sizes, on top of more and more
// cards. Its floor is COPY of the same rows on top of the same cards: it shows
// how much slower PostgreSQL gets when its indexes leave its memory.
func (b *bench) measureGrowth(ctx context.Context) (all []growth, err error) {
	for _, existing := range b.sizes.existing {
		if err := b.fill(ctx, existing); err != nil {
			return all, fmt.Errorf("fill: %w", err)
		}
		for _, task := range b.sizes.tasks {
			g := growth{existing: existing, task: task}
			for range min(b.rounds, growthRounds) {
				if err := b.grow(ctx, &g); err != nil {
					return all, err
				}
			}
			fmt.Fprintf(b.log, "growth: %s cards on top of %s: %s a card, floor %s\n",
				number(float64(task)), number(float64(existing)), microseconds(median(g.ours)), microseconds(median(g.bare)))
			all = append(all, g)
		}
	}
	return all, nil
}

// grow is one round: a task, and the same cards by COPY, each on top of the cards
// that were there.
func (b *bench) grow(ctx context.Context, g *growth) error {
	if err := b.deleteOwn(ctx); err != nil {
		return err
	}
	ours, err := b.issue(ctx, g.task)
	if err != nil {
		return err
	}
	if err := b.keep(ctx, g.task, "gift_cards"); err != nil {
		return err
	}
	if err := b.deleteOwn(ctx); err != nil {
		return err
	}
	bare, err := b.copyBack(ctx, g.task, "gift_cards")
	if err != nil {
		return err
	}
	g.ours, g.bare = append(g.ours, ours.each()), append(g.bare, bare.each())
	return nil
}

// each is the time that a unit took.
func (r round) each() time.Duration { return time.Duration(float64(time.Second) / r.rate) }

// deleteOwn removes the shop's cards, and leaves those that fill made.
func (b *bench) deleteOwn(ctx context.Context) error {
	return b.db.exec(ctx, "delete from gift_cards where "+b.own(), "vacuum gift_cards", "checkpoint")
}

// fill leaves the given number of cards in the table, with random numbers, of a
// program that there is not, and otherwise like the server's own.
func (b *bench) fill(ctx context.Context, cards int) error {
	if err := b.fresh(ctx); err != nil {
		return err
	}
	if cards == 0 {
		return nil
	}
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

package server_test

import (
	"fmt"
	"net/http"
	"slices"
)

// This file implements the rules of a card's life a second time, independently of the store, for
// TestMoneyIsConservedInEveryHistory. Amounts are in thousandths, and times in hours.

type modelEntry struct {
	kind     string
	amount   int
	refunded int
}

type modelCard struct {
	giftCard
	owner                 string
	value, balance        int
	expires, until        int // until is the end of a suspension, 0 for none
	active, stopped, dead bool
	entries               []modelEntry
}

// outcome is the answer to a request: its status, the sentence or the state in it, and the balance
// in it, or -1 if it has none.
type outcome struct {
	status  int
	words   string
	balance int
}

func refused(words string) outcome  { return outcome{http.StatusBadRequest, words, -1} }
func notFound(words string) outcome { return outcome{http.StatusNotFound, words, -1} }
func done(words string, balance int) outcome {
	return outcome{http.StatusOK, words, balance}
}

const mostOnACard = 10_000_000

func (c *modelCard) state(now int) string {
	switch {
	case c.dead:
		return "voided"
	case c.active && c.balance == 0:
		return "depleted"
	case now >= c.expires:
		return "expired"
	case c.stopped && (c.until == 0 || now < c.until):
		return "suspended"
	case c.active:
		return "active"
	}
	return "pending"
}

func (c *modelCard) post(kind string, amount int) {
	c.balance += amount
	c.entries = append(c.entries, modelEntry{kind: kind, amount: amount})
}

func (c *modelCard) end(kind string) {
	c.post(kind, -c.balance)
	c.dead = true
}

// unless returns nil if the card is in one of the wanted states, or the refusal if it is not.
func (c *modelCard) unless(now int, otherwise string, wanted ...string) *outcome {
	state, words := c.state(now), otherwise
	if slices.Contains(wanted, state) {
		return nil
	}
	switch state {
	case "voided":
		words = "Gift card has been voided"
	case "expired":
		words = "Gift card has expired"
	}
	return new(refused(words))
}

const notActiveWords = "Gift card is not active"

func (c *modelCard) activate(now int) outcome {
	words := "Gift card has already been activated"
	if !c.active {
		words = notActiveWords
	}
	if no := c.unless(now, words, "pending"); no != nil {
		return *no
	}
	c.active = true
	c.post("ACTIVATION", c.value)
	return done("active", c.balance)
}

func (c *modelCard) redeem(now, amount int) outcome {
	if no := c.unless(now, notActiveWords, "active"); no != nil {
		return *no
	}
	if amount > c.balance {
		return refused("Insufficient gift card balance")
	}
	c.post("REDEMPTION", -amount)
	return done("Gift card redeemed", c.balance)
}

func (c *modelCard) reload(now, amount int) outcome {
	if no := c.unless(now, notActiveWords, "active"); no != nil {
		return *no
	}
	if c.balance+amount > mostOnACard {
		return refused("Reload would exceed maximum card balance")
	}
	c.post("RELOAD", amount)
	return done("active", c.balance)
}

// refund gives back an amount of the n-th entry, or all that is left of it if amount is 0.
func (c *modelCard) refund(n, amount int) outcome {
	switch {
	case c.dead:
		// The server looks for the entry first.
		if n >= len(c.entries) {
			return notFound("Transaction not found")
		}
		return refused("Gift card has been voided")
	case n >= len(c.entries):
		return notFound("Transaction not found")
	case c.entries[n].kind != "REDEMPTION":
		return refused("Refunds are not allowed for this transaction.")
	}
	left := -c.entries[n].amount - c.entries[n].refunded
	switch {
	case left == 0:
		return refused("This transaction has already been processed.")
	case amount > left:
		return refused("Invalid transaction amount.")
	case amount == 0:
		amount = left
	}
	c.entries[n].refunded += amount
	c.post("REFUND", amount)
	return done("Transaction refunded", c.balance)
}

func (c *modelCard) void() outcome {
	if c.dead {
		return refused("Gift card has been voided")
	}
	c.end("VOID")
	return done("voided", 0)
}

func (c *modelCard) suspend(now, until int) outcome {
	if no := c.unless(now, notActiveWords, "pending", "active", "suspended"); no != nil {
		return *no
	}
	c.stopped, c.until = true, until
	return done("suspended", c.balance)
}

func (c *modelCard) resume(now int) outcome {
	if no := c.unless(now, "Gift card is not suspended", "suspended"); no != nil {
		return *no
	}
	c.stopped = false
	return done(c.state(now), c.balance)
}

func (c *modelCard) settle(now int, action string, days int) outcome {
	switch state := c.state(now); {
	case state == "voided":
		return refused("Gift card has been voided")
	case state != "expired":
		return refused("Gift card has not expired")
	case action == "extend":
		c.expires = now + 24*days
		return done("Gift card extended", -1)
	case action == "void":
		c.end("VOID")
		return done("Gift card voided", -1)
	case c.balance == 0:
		return refused("Gift card has no balance to refund")
	}
	c.end("REFUND")
	return done("Gift card refunded", -1)
}

func (c *modelCard) transfer(to *modelCard, now, amount int) outcome {
	if c == to {
		return refused("Source and destination must be different cards")
	}
	for _, card := range []*modelCard{c, to} {
		if no := card.unless(now, notActiveWords, "active"); no != nil {
			return *no
		}
	}
	switch {
	case amount > c.balance:
		return refused("Insufficient gift card balance")
	case to.balance+amount > mostOnACard:
		return refused("Total value exceeds maximum allowed")
	}
	c.post("TRANSFER_OUT", -amount)
	to.post("TRANSFER_IN", amount)
	return done("Gift card balance transferred", c.balance)
}

// consolidateModel also returns the new card, or nil if the cards are not merged.
func consolidateModel(sources []*modelCard, now int) (outcome, *modelCard) {
	merged := &modelCard{owner: sources[0].owner, active: true, expires: now + 365*24}
	for i, card := range sources {
		if slices.Contains(sources[:i], card) {
			return refused("Cards must be different"), nil
		}
	}
	for _, card := range sources {
		if no := card.unless(now, notActiveWords, "active"); no != nil {
			return *no, nil
		}
		merged.value += card.balance
		merged.expires = max(merged.expires, card.expires)
	}
	switch {
	case slices.ContainsFunc(sources, func(c *modelCard) bool { return c.owner != merged.owner }):
		return refused("All cards must belong to the same customer"), nil
	case merged.value > mostOnACard:
		return refused("Total value exceeds maximum allowed"), nil
	}
	for _, card := range sources {
		card.end("CONSOLIDATION")
	}
	merged.post("CONSOLIDATION", merged.value)
	return done("Gift cards consolidated", merged.balance), merged
}

// thousandths writes an amount as a JSON string.
func thousandths(amount int) string { return fmt.Sprintf(`"%d.%03d"`, amount/1000, amount%1000) }

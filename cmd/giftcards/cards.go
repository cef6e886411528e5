package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

type cardsCommand struct {
	Suspend suspendCards `cmd:"" help:"Suspend the cards that a task or a user issued, until they are resumed over the API."`
	Void    voidCards    `cmd:"" help:"Void for good the cards that a task or a user issued. Their balances become 0."`
	Print   printCards   `cmd:"" help:"Make a PDF of a task's physical cards, with numbers, security codes and QR codes, to print and cut."`
}

// issuedBy chooses the cards that a command changes, by their task or user.
type issuedBy struct {
	Task  uuid.UUID `placeholder:"ID" help:"Cards of this task, as long as the task is kept."`
	User  string    `placeholder:"EMAIL" help:"Cards that this user issued: directly, as far back as the audit log goes, and by tasks that are still kept."`
	Since time.Time `placeholder:"TIME" help:"Only cards issued since this time, such as 2026-01-31T09:00:00Z."`
}

type suspendCards struct{ issuedBy }

func (c suspendCards) Run(s *session) error {
	return c.change(s, "cards suspend", func(card *store.Card) error { return card.Stop(new(stoppedReason)) })
}

type voidCards struct{ issuedBy }

func (c voidCards) Run(s *session) error {
	return c.change(s, "cards void", func(card *store.Card) error {
		_, err := card.Void(new(stoppedReason))
		return err
	})
}

// stoppedReason tells merchants about a card that an operator has suspended or voided.
const stoppedReason = "stopped by an operator"

type printedChange struct {
	// Cards is the number of cards that were found.
	Cards int `json:"cards"`
	// Changed is the number of cards that the command has suspended or voided.
	Changed int `json:"changed"`
	// Refused is the number of cards that stay as they are, by reason.
	Refused map[string]int `json:"refused"`
	// UnfinishedTasks is the number of tasks that are not finished. Cards that they issue later stay
	// as they are.
	UnfinishedTasks int `json:"unfinishedTasks"`
}

// cardsAtOnce is the number of cards that one transaction locks. A till waits for the end of
// such a transaction, so it must be short.
const cardsAtOnce = 500

// change changes the cards in batches, because one transaction would hold all of them for too
// long. A command that failed half-way can be repeated.
func (c issuedBy) change(s *session, operation string, do func(*store.Card) error) error {
	if (c.Task == uuid.Nil) == (c.User == "") {
		return errors.New("give either --task or --user")
	}
	return printResult(s, func(st *store.Store) (printedChange, error) {
		// A time in the future has a wrong zone or year. No card would match it, and the operator would
		// take that for a success.
		if c.Since.After(st.Clock()) {
			return printedChange{}, fmt.Errorf("--since: %s is in the future", c.Since.Format(time.RFC3339))
		}
		entry := store.AuditEntry{Operation: operation}
		issued, err := store.Read(s, st, func(tx *store.Tx) (store.IssuedCards, error) { return c.issued(s, tx, &entry) })
		if err != nil {
			return printedChange{}, err
		}
		printed := printedChange{Cards: len(issued.Cards), Refused: map[string]int{}, UnfinishedTasks: issued.Unfinished}
		for batch := range slices.Chunk(issued.Cards, cardsAtOnce) {
			did, err := store.Write(s, st, func(tx *store.Tx) (printedChange, error) { return changeCards(s, tx, batch, entry, do) })
			if err != nil {
				return printedChange{}, fmt.Errorf("stopped after %d cards were changed; repeat the command to change the others: %w", printed.Changed, err)
			}
			printed.Changed += did.Changed
			for reason, cards := range did.Refused {
				printed.Refused[reason] += cards
			}
		}
		return printed, nil
	})
}

// issued returns the cards, and makes the task or the user the subject of the entry.
func (c issuedBy) issued(s *session, tx *store.Tx, entry *store.AuditEntry) (store.IssuedCards, error) {
	if c.Task != uuid.Nil {
		entry.Subject = c.Task[:]
		cards, err := tx.CardsOfTask(s, c.Task, c.Since)
		return cards, naming(c.Task.String(), err)
	}
	user, err := userNamed(s, tx, c.User)
	if err != nil {
		return store.IssuedCards{}, err
	}
	entry.Subject = user.ID[:]
	return tx.CardsOfUser(s, user.ID, c.Since)
}

// changeCards changes the cards of one batch, with an entry in the audit log for each program.
func changeCards(s *session, tx *store.Tx, batch []store.CardRef, entry store.AuditEntry, do func(*store.Card) error) (printedChange, error) {
	did := printedChange{Refused: map[string]int{}}
	// The batch is sorted by program and id. Every transaction locks cards in this order, so that none
	// deadlock.
	for len(batch) > 0 {
		program := batch[0].Program
		var cards []id.ID
		for ; len(batch) > 0 && batch[0].Program == program; batch = batch[1:] {
			cards = append(cards, batch[0].Card)
		}
		locked, err := tx.LockCards(s, program, cards...)
		if err != nil {
			return did, err
		}
		// A sandbox may have deleted a card with its world.
		locked = slices.DeleteFunc(locked, func(card *store.Card) bool { return card == nil })
		before := did.Changed
		for _, card := range locked {
			if err := did.add(card, do); err != nil {
				return did, err
			}
		}
		if err := tx.SaveCards(s, locked...); err != nil {
			return did, err
		}
		entry.ProgramID, entry.Cards = program, int32(did.Changed-before)
		if err := s.audit(tx, entry); err != nil {
			return did, err
		}
	}
	return did, nil
}

// add changes a card and counts it, as changed or as refused. It returns any other error.
func (p *printedChange) add(card *store.Card, do func(*store.Card) error) error {
	err := do(card)
	if refusal, ok := errors.AsType[*store.Error](err); ok {
		p.Refused[refusal.Message]++
		return nil
	}
	if err == nil {
		p.Changed++
	}
	return err
}

package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Only the command that prints cards meets these errors.
var (
	ErrNotPhysical    = &Error{Kind: Refused, Message: "The task's cards are digital: their codes go to their recipients only"}
	ErrTooManyToPrint = &Error{Kind: Refused, Message: "The task has more cards than a sheet can have: give a printer the CSV"}
)

// PhysicalCards are the cards of a task that may be printed.
type PhysicalCards struct {
	Program  Program
	Merchant string // its name
	Cards    []GiftCard
	// LeftOut is the number of the task's other cards, by their state.
	LeftOut map[string]int
}

// PhysicalCards returns the pending and active cards of a task, in the order of the request. It
// fails with ErrTaskNotFound; with a *NoCardsError; with ErrNotPhysical if the codes of the cards
// go to their recipients only; and with ErrTooManyToPrint if the task has more than most cards.
func (tx *Tx) PhysicalCards(ctx context.Context, task uuid.UUID, most int) (found PhysicalCards, err error) {
	row, err := tx.q.FindPrintedTask(ctx, task)
	switch {
	case isNone(err):
		return found, ErrTaskNotFound
	case err != nil:
		return found, fmt.Errorf("find task: %w", err)
	}
	issued := Task{row.BulkTask}
	switch {
	case issued.Status != TaskCompleted:
		return found, &NoCardsError{issued}
	case !issued.IsPhysical:
		return found, ErrNotPhysical
	case int(issued.CardCount) > most:
		return found, ErrTooManyToPrint
	}
	last := issued.FirstCardID.Plus(int(issued.CardCount) - 1)
	cards, err := tx.q.ListCardsOfRange(ctx, issued.ProgramID, issued.FirstCardID, last)
	if err != nil {
		return found, fmt.Errorf("list cards of task: %w", err)
	}
	found = PhysicalCards{Program: row.Program, Merchant: row.MerchantName, LeftOut: map[string]int{}}
	for i := range cards {
		switch state := StateOf(&cards[i], tx.now); state {
		case CardPending, CardActive:
			found.Cards = append(found.Cards, cards[i])
		default: // its code is of no use, or must stay secret
			found.LeftOut[state]++
		}
	}
	return found, nil
}

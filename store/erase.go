package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/s2"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// An erasure takes two transactions. The first one, EraseWaiting, takes the person out of the
// recipients of unfinished tasks. Then AwaitTask waits for the workers that may have read them
// before. The second one, ErasePerson, finds what those workers wrote. Each may be repeated.

// TaskRef names a task in its program.
type TaskRef struct {
	Program id.ID
	Task    uuid.UUID
}

// EraseWaiting takes the person out of the recipients of all unfinished tasks. The tasks issue
// the cards all the same, for nobody. It returns how many recipients it erased, and the
// unfinished tasks, for AwaitTask after the commit.
func (tx *Tx) EraseWaiting(ctx context.Context, p Person) (erased int, unfinished []TaskRef, err error) {
	err = tx.eachWaitingChunk(ctx, func(c db.ListWaitingRecipientsRow, recipients []Recipient) error {
		task := TaskRef{c.ProgramID, c.TaskID}
		// The chunks of a task follow each other.
		if len(unfinished) == 0 || unfinished[len(unfinished)-1] != task {
			unfinished = append(unfinished, task)
		}
		if p.eraseIn(recipients) == 0 {
			return nil
		}
		// Read it once more under a lock, because another erasure may have changed it.
		locked, err := tx.q.LockRecipients(ctx, c.ProgramID, c.TaskID, c.First)
		if isNone(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock waiting recipients: %w", err)
		}
		if recipients, err = decodeChunk(locked); err != nil {
			return err
		}
		erased += p.eraseIn(recipients)
		encoded, err := json.Marshal(recipients)
		if err != nil {
			return fmt.Errorf("encode waiting recipients: %w", err)
		}
		return wrap(tx.q.SetRecipients(ctx, db.SetRecipientsParams{
			ProgramID: c.ProgramID, TaskID: c.TaskID, First: c.First, Recipients: s2.Encode(nil, encoded),
		}), "set waiting recipients")
	})
	return erased, unfinished, err
}

// eraseIn empties the person's places in a list, and returns how many there were.
func (p Person) eraseIn(recipients []Recipient) (erased int) {
	for i := range recipients {
		if p.is(recipients[i].Email) || p.is(recipients[i].Phone) {
			recipients[i] = Recipient{} // the place stays, because the card is promised
			erased++
		}
	}
	return erased
}

// AwaitTask waits until no worker holds the task, or for the given time at most, and then fails
// with ErrTaskBusy.
func (tx *Tx) AwaitTask(ctx context.Context, task TaskRef, most time.Duration) error {
	if err := tx.q.LimitLockWait(ctx, fmt.Sprintf("%dms", most.Milliseconds())); err != nil {
		return fmt.Errorf("limit wait for task: %w", err)
	}
	err := tx.q.AwaitTask(ctx, task.Program, task.Task)
	if lockTimedOut(err) {
		return ErrTaskBusy
	}
	return wrap(err, "await task")
}

// Erased is what an erasure changed.
type Erased struct {
	Cards    []ErasedCard
	Messages int
	Answers  int
	// BeingSent are the cards with a message or a receipt that was being sent at that moment, so that
	// it may arrive.
	BeingSent []id.ID
}

// ErasedCard is a card without its recipient, and the addresses that it had.
type ErasedCard struct {
	ProgramID, ID id.ID
	Email, Phone  *string
}

// ErasePerson erases the recipient of each of the person's cards: names, addresses and message.
// It deletes the messages and receipts to the person, and takes the person out of the stored answers.
// Balances, codes and the ledger stay, so that the holder of a card can still spend it.
//
// The cards stay locked until the transaction ends.
func (tx *Tx) ErasePerson(ctx context.Context, p Person) (erased Erased, err error) {
	about := answersAbout{person: p}
	cards, err := tx.cardsOf(ctx, p)
	if err != nil {
		return erased, err
	}
	params := db.EraseRecipientsParams{Address: p.Address, Now: tx.now, ProgramIds: [][]byte{}, CardIds: [][]byte{}}
	for i := range cards {
		params.ProgramIds, params.CardIds = append(params.ProgramIds, cards[i].ProgramID[:]), append(params.CardIds, cards[i].ID[:])
	}
	// The cards come before the answers, because a change that holds a card now may store
	// another answer about the person. The statement waits for it.
	rows, err := tx.q.EraseRecipients(ctx, params)
	if err != nil {
		return erased, fmt.Errorf("erase recipients: %w", err)
	}
	for _, row := range rows {
		erased.Cards = append(erased.Cards, ErasedCard{row.ProgramID, row.ID, row.CustomerEmail, row.CustomerPhone})
		about.addAddresses(row.ID, row.CustomerEmail, row.CustomerPhone)
		erased.Messages += int(row.Messages)
		if row.BeingSent {
			erased.sending(row.ID)
		}
	}
	// EraseRecipients has deleted the receipts of the person's cards, but not those of a card that
	// has another recipient by now.
	receipts, err := tx.q.DeleteReceiptsTo(ctx, p.Address, tx.now)
	if err != nil {
		return erased, fmt.Errorf("delete receipts to person: %w", err)
	}
	for _, card := range receipts {
		erased.sending(card)
	}
	messages, err := tx.q.DeleteMessagesTo(ctx, tx.now, p.Address)
	if err != nil {
		return erased, fmt.Errorf("delete messages to person: %w", err)
	}
	erased.Messages += len(messages)
	for _, message := range messages {
		if message.BeingSent {
			erased.sending(message.CardID)
		}
	}
	erased.Answers, err = tx.eraseAnswers(ctx, about)
	return erased, err
}

// sending notes once that something about a card was being sent.
func (e *Erased) sending(card id.ID) {
	if !slices.Contains(e.BeingSent, card) {
		e.BeingSent = append(e.BeingSent, card)
	}
}

// isNone reports whether a statement found no row.
func isNone(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

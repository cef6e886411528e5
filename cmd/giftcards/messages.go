package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

type messagesCommand struct {
	List  listMessages  `cmd:"" help:"List messages in a state, the latest first."`
	Retry retryMessages `cmd:"" help:"Make failed messages, and those that wait for another attempt, due at once."`
}

type listMessages struct {
	Status string `enum:"scheduled,sent,failed,dropped" default:"failed" help:"scheduled, sent, failed or dropped (${default})."`
	Limit  int    `default:"100" help:"How many at most (${default})."`
}

type printedMessage struct {
	CardID    id.ID     `json:"cardId"`
	ProgramID id.ID     `json:"programId"`
	Channel   string    `json:"channel"`
	Address   string    `json:"address"`
	Status    string    `json:"status"`
	SendAt    time.Time `json:"sendAt"`
	Attempts  int16     `json:"attempts"`
	// NextAttemptAt is null unless there will be one.
	NextAttemptAt *time.Time `json:"nextAttemptAt"`
	Error         *string    `json:"error"`
	SentAt        *time.Time `json:"sentAt"`
}

func toPrintedMessage(m store.Message) printedMessage {
	printed := printedMessage{
		CardID: m.CardID, ProgramID: m.ProgramID, Channel: m.Channel, Address: m.Address, Status: m.Status,
		SendAt: m.SendAt, Attempts: m.Attempts, Error: m.LastError, SentAt: m.SentAt,
	}
	if m.Status == store.MessageScheduled {
		printed.NextAttemptAt = &m.NextAttemptAt
	}
	return printed
}

func (c listMessages) Run(s *session) error {
	if c.Limit < 1 || c.Limit > maxListed {
		return fmt.Errorf("--limit: want 1 to %d", maxListed)
	}
	return printRead(s, func(tx *store.Tx) ([]printedMessage, error) {
		rows, err := tx.Messages(s, c.Status, c.Limit)
		return each(rows, err, toPrintedMessage)
	})
}

// maxListed bounds what a list holds in memory.
const maxListed = 100_000

type retryMessages struct {
	Cards []id.ID `arg:"" optional:"" name:"card-id" help:"Cards whose messages to retry."`
	All   bool    `help:"Retry those of all cards."`
	Sent  bool    `help:"Send what was sent to these cards' recipients once more, too."`
}

type printedRetry struct {
	Retried int `json:"retried"`
}

func (c retryMessages) Run(s *session) error {
	if c.All == (len(c.Cards) > 0) {
		return errors.New("name cards, or --all")
	}
	if c.All && c.Sent {
		return errors.New("--sent is for named cards only")
	}
	return printWritten(s, func(tx *store.Tx) (printedRetry, error) {
		retried, err := tx.RetryMessages(s, c.Cards, c.Sent)
		if err != nil {
			return printedRetry{}, err
		}
		for _, card := range c.Cards {
			if !slices.Contains(retried, card) {
				return printedRetry{}, fmt.Errorf("card %s has no message to retry, so none was retried: giftcards messages list says how they stand", card)
			}
		}
		return printedRetry{len(retried)}, s.audit(tx, store.AuditEntry{Operation: "messages retry", Cards: int32(len(retried))})
	})
}

package main

import (
	"errors"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

type messagesCommand struct {
	List  listMessages  `cmd:"" help:"List messages in a state, the latest first."`
	Retry retryMessages `cmd:"" help:"Make failed messages due at once."`
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
		return errors.New("--limit: want 1 to 100000")
	}
	return write(s, func(tx *store.Tx) ([]printedMessage, error) {
		rows, err := tx.Messages(s, c.Status, c.Limit)
		return each(rows, err, toPrintedMessage)
	})
}

// maxListed bounds what a list holds in memory.
const maxListed = 100_000

type retryMessages struct {
	Cards []id.ID `arg:"" optional:"" name:"card-id" help:"Cards whose failed messages to retry."`
	All   bool    `help:"Retry all failed messages."`
}

type printedRetry struct {
	Retried int64 `json:"retried"`
}

func (c retryMessages) Run(s *session) error {
	if c.All == (len(c.Cards) > 0) {
		return errors.New("name cards, or --all")
	}
	return write(s, func(tx *store.Tx) (printedRetry, error) {
		retried, err := tx.RetryMessages(s, c.Cards)
		if err != nil {
			return printedRetry{}, err
		}
		return printedRetry{retried}, s.audit(tx, store.AuditEntry{Operation: "messages retry", Cards: int32(retried)})
	})
}

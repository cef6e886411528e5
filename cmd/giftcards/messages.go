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

type messagesCommand struct {
	List   listMessages   `cmd:"" help:"List messages in a state, the latest first."`
	Retry  retryMessages  `cmd:"" help:"Make failed messages, and those that wait for another attempt, due at once."`
	Drop   dropMessages   `cmd:"" help:"Drop messages that were not sent, for good: of some cards, or of all that fit the flags."`
	Resume resumeMessages `cmd:"" help:"Send messages from this database, which is a copy of the one that they were sent from."`
	Test   tryMessage     `cmd:"" help:"Send a message that says it is a test, and print what the server said."`
}

type listMessages struct {
	Status string `enum:"scheduled,sent,written,failed,dropped" default:"failed" help:"scheduled, sent, written, failed or dropped (${default})."`
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
	Cards   []id.ID `arg:"" optional:"" name:"card-id" help:"Cards whose messages to retry."`
	All     bool    `help:"Retry those of all cards."`
	Sent    bool    `help:"Send what was sent to these cards' recipients once more, too."`
	Written bool    `help:"Send what was only written to files, of these cards or of all, and nothing else."`
	To      string  `placeholder:"ADDRESS" help:"Send the message of one card to this mail address or telephone number, and keep it as the card's."`
}

type printedRetry struct {
	Retried int `json:"retried"`
}

// fault says which flags do not go together.
func (c retryMessages) fault() error {
	switch {
	case c.To != "" && (len(c.Cards) != 1 || c.All || c.Written):
		return errors.New("--to is for one named card, with or without --sent")
	case c.All && len(c.Cards) > 0 || !c.All && !c.Written && len(c.Cards) == 0:
		return errors.New("name cards, or --all")
	case c.All && c.Sent:
		return errors.New("--sent is for named cards only")
	case c.Written && c.Sent:
		return errors.New("--sent takes what was written, too: give it alone")
	}
	return nil
}

func (c retryMessages) Run(s *session) error {
	if err := c.fault(); err != nil {
		return err
	}
	if c.To != "" {
		return c.readdress(s)
	}
	which := store.RetryFailed
	switch {
	case c.Sent:
		which = store.RetrySent
	case c.Written:
		which = store.RetryWritten
	}
	return printWritten(s, func(tx *store.Tx) (printedRetry, error) {
		retried, err := tx.RetryMessages(s, c.Cards, which)
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

type dropMessages struct {
	Cards     []id.ID       `arg:"" optional:"" name:"card-id" help:"Cards whose messages to drop."`
	User      string        `placeholder:"EMAIL" help:"Those of the cards that this user issued: one by one and in bulk as far back as the audit log goes, by tasks as long as a task is kept; not by tasks that an earlier version added."`
	Merchant  id.ID         `placeholder:"ID" help:"Those of this merchant's cards."`
	Task      uuid.UUID     `placeholder:"ID" help:"Those of this task's cards, as long as the task is kept."`
	OlderThan time.Duration `placeholder:"DURATION" help:"Only those of cards that were issued longer ago than that, such as 1h."`
}

type printedDrop struct {
	Dropped int `json:"dropped"`
	// BeingSent are the cards of those among them that a sender has at this moment: they
	// may arrive once.
	BeingSent []id.ID `json:"beingSent"`
}

func (c dropMessages) Run(s *session) error {
	if len(c.Cards) == 0 && c.User == "" && c.Merchant.IsZero() && c.Task == uuid.Nil {
		return errors.New("name cards, --user, --merchant or --task")
	}
	if c.OlderThan < 0 {
		return errors.New("--older-than: want a duration such as 24h")
	}
	return printWritten(s, func(tx *store.Tx) (printedDrop, error) {
		user, err := userNamed(s, tx, c.User)
		if err != nil {
			return printedDrop{}, err
		}
		dropped, err := tx.DropMessages(s, store.MessageFilter{
			Cards: c.Cards, Merchant: c.Merchant, User: user.ID, Task: c.Task, OlderThan: c.OlderThan,
		})
		if err != nil {
			return printedDrop{}, err
		}
		printed, err := c.result(dropped)
		if err != nil {
			return printedDrop{}, err
		}
		return printed, s.audit(tx, c.entry(user, len(dropped)))
	})
}

// result fails if a named card has nothing to drop: the operator means another one.
func (c dropMessages) result(dropped []store.DroppedMessage) (printedDrop, error) {
	printed := printedDrop{Dropped: len(dropped), BeingSent: []id.ID{}}
	had := map[id.ID]bool{}
	for _, m := range dropped {
		had[m.CardID] = true
		if m.BeingSent {
			printed.BeingSent = append(printed.BeingSent, m.CardID)
		}
	}
	for _, card := range c.Cards {
		if !had[card] {
			return printedDrop{}, fmt.Errorf("card %s has no message to drop, so none was dropped: giftcards messages list says how they stand", card)
		}
	}
	return printed, nil
}

// entry is what the audit log is to know: the subject is the most special thing that
// was named.
func (c dropMessages) entry(user store.User, dropped int) store.AuditEntry {
	entry := store.AuditEntry{Operation: "messages drop", MerchantID: c.Merchant, Cards: int32(dropped)}
	if entry.MerchantID.IsZero() {
		entry.MerchantID = user.MerchantID
	}
	switch {
	case len(c.Cards) > 0:
		entry.Subject = c.Cards[0][:]
	case c.Task != uuid.Nil:
		entry.Subject = c.Task[:]
	case !user.ID.IsZero():
		entry.Subject = user.ID[:]
	}
	return entry
}

// readdress sends the message of a card to another address, which stays the card's.
func (c retryMessages) readdress(s *session) error {
	channel, address, err := recipient(c.To)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	card := c.Cards[0]
	return printWritten(s, func(tx *store.Tx) (printedRetry, error) {
		if err := tx.Readdress(s, card, channel, address, c.Sent); err != nil {
			return printedRetry{}, naming(card.String(), err)
		}
		return printedRetry{1}, s.audit(tx, store.AuditEntry{Operation: "messages retry --to", Subject: card[:], Cards: 1})
	})
}

type resumeMessages struct{}

type printedResume struct {
	Resumed bool `json:"resumed"`
}

func (resumeMessages) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedResume, error) {
		if err := tx.ResumeMessages(s); err != nil {
			return printedResume{}, err
		}
		return printedResume{true}, s.audit(tx, store.AuditEntry{Operation: "messages resume"})
	})
}

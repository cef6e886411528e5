package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

type messagesCommand struct {
	List    listMessages   `cmd:"" help:"List messages in a state, the latest first."`
	Retry   retryMessages  `cmd:"" help:"Retry failed messages, and those that wait for another attempt, at once."`
	Drop    dropMessages   `cmd:"" help:"Drop unsent messages for good: those of the named cards, or all that match the flags."`
	Resume  resumeMessages `cmd:"" help:"Let this database, which is a copy of another one, send messages from now on."`
	Bounced recordBounce   `cmd:"" help:"Read from standard input the mail that a mail server has delivered to --mail-bounces, and record that a message did not arrive."`
	Test    tryMessage     `cmd:"" help:"Send a test message, and print the server's answer."`
}

// kinds are the kinds of messages and receipts that a command is about; none: all.
type kinds []string

func (k kinds) fault() error {
	all := slices.Concat(store.MessageKinds, store.Receipts)
	for _, kind := range k {
		if !slices.Contains(all, kind) {
			return fmt.Errorf("--kind: want some of %s", strings.Join(all, ", "))
		}
	}
	return nil
}

type listMessages struct {
	Kind    kinds  `placeholder:"KINDS" help:"Only messages of these kinds, with commas between them: card, code, owner, consolidation, activated, redeemed, reloaded, expiring."`
	Status  string `enum:"scheduled,sent,written,failed,dropped" default:"failed" help:"scheduled, sent, written, failed or dropped (${default})."`
	Bounced bool   `help:"List the mails that were sent and did not arrive, whatever their status is by now."`
	Limit   int    `default:"100" help:"Most messages to list (${default})."`
}

type printedMessage struct {
	CardID    id.ID  `json:"cardId"`
	ProgramID id.ID  `json:"programId"`
	Channel   string `json:"channel"`
	Kind      string `json:"kind"`
	// Sequence is part of the Message-ID, unless it is 0.
	Sequence int16 `json:"sequence"`
	// Occasion of a receipt is the entry of the ledger that it tells of, or the days before the expiry
	// and the expiry. It is null for other messages.
	Occasion *string   `json:"occasion"`
	Address  string    `json:"address"`
	Status   string    `json:"status"`
	SendAt   time.Time `json:"sendAt"`
	Attempts int16     `json:"attempts"`
	// NextAttemptAt is null unless there will be another attempt.
	NextAttemptAt *time.Time `json:"nextAttemptAt"`
	Error         *string    `json:"error"`
	SentAt        *time.Time `json:"sentAt"`
	// BouncedAt is when a mail server reported that the mail did not arrive, and Bounce what it said.
	BouncedAt *time.Time `json:"bouncedAt"`
	Bounce    *string    `json:"bounce"`
}

func toPrintedMessage(m store.Message) printedMessage {
	printed := printedMessage{
		CardID: m.CardID, ProgramID: m.ProgramID, Channel: m.Channel, Kind: m.Kind, Sequence: m.Sequence, Address: m.Address, Status: m.Status,
		SendAt: m.SendAt, Attempts: m.Attempts, Error: m.LastError, SentAt: m.SentAt,
		BouncedAt: m.BouncedAt, Bounce: m.Bounce,
	}
	if m.Status == store.MessageScheduled {
		printed.NextAttemptAt = &m.NextAttemptAt
	}
	return printed
}

// receiptMessage returns a receipt as a message is printed. The time at which it was sent is not
// kept.
func receiptMessage(r store.Receipt) printedMessage {
	printed := printedMessage{
		CardID: r.CardID, ProgramID: r.ProgramID, Channel: r.Channel, Kind: r.Kind, Occasion: &r.Occasion, Address: r.Address, Status: r.Status,
		SendAt: r.CreatedAt, Attempts: r.Attempts, Error: r.LastError,
	}
	if r.Status == store.MessageScheduled {
		printed.NextAttemptAt = &r.NextAttemptAt
	}
	return printed
}

func (c listMessages) Run(s *session) error {
	if c.Limit < 1 || c.Limit > maxListed {
		return fmt.Errorf("--limit: want 1 to %d", maxListed)
	}
	if err := c.Kind.fault(); err != nil {
		return err
	}
	if c.Bounced && len(c.Kind) > 0 {
		return errors.New("--bounced lists mails of all kinds: leave out --kind")
	}
	return printRead(s, func(tx *store.Tx) ([]printedMessage, error) {
		if c.Bounced {
			rows, err := tx.BouncedMessages(s, c.Limit)
			return each(rows, err, toPrintedMessage)
		}
		rows, err := tx.Messages(s, c.Status, c.Limit, c.Kind...)
		all, err := each(rows, err, toPrintedMessage)
		if err != nil {
			return nil, err
		}
		// Each list is read up to the limit, because the latest may all be messages or all receipts.
		queued, err := tx.ListReceipts(s, c.Status, c.Limit, c.Kind...)
		receipts, err := each(queued, err, receiptMessage)
		if err != nil {
			return nil, err
		}
		all = append(all, receipts...)
		slices.SortStableFunc(all, func(a, b printedMessage) int { return b.SendAt.Compare(a.SendAt) })
		return all[:min(len(all), c.Limit)], nil
	})
}

// maxListed bounds a list, because it is held in memory.
const maxListed = 100_000

type retryMessages struct {
	Cards   []id.ID `arg:"" optional:"" name:"card-id" help:"Cards whose messages to retry."`
	All     bool    `help:"Retry the messages of all cards."`
	Kind    kinds   `placeholder:"KINDS" help:"Only messages of these kinds, as for messages list."`
	Sent    bool    `help:"Also resend messages of the named cards that were sent already. Receipts are never resent."`
	Written bool    `help:"Send only messages that were written to files, of the named cards or of all."`
	To      string  `placeholder:"ADDRESS" help:"Send one card's message to this mail address or telephone number, and store it as the card's."`
}

type printedRetry struct {
	Retried int `json:"retried"`
}

// fault returns an error if the flags contradict each other.
func (c retryMessages) fault() error {
	if err := c.Kind.fault(); err != nil {
		return err
	}
	switch {
	case c.To != "" && (len(c.Cards) != 1 || c.All || c.Written || len(c.Kind) > 0):
		return errors.New("--to is for one named card, with or without --sent")
	case c.All && len(c.Cards) > 0 || !c.All && !c.Written && len(c.Cards) == 0:
		return errors.New("name cards, or --all")
	case c.All && c.Sent:
		return errors.New("--sent is for named cards only")
	case c.Sent && slices.ContainsFunc(c.Kind, func(kind string) bool { return slices.Contains(store.Receipts, kind) }):
		return errors.New("--sent is not for receipts, because each is sent once at most")
	case c.Written && c.Sent:
		return errors.New("--sent includes written messages: leave out --written")
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
		retried, err := tx.RetryMessages(s, c.Cards, which, c.Kind...)
		if err != nil {
			return printedRetry{}, err
		}
		// One wrong card refuses the whole command, because the operator may have meant
		// another one.
		for _, card := range c.Cards {
			if !slices.Contains(retried, card) {
				return printedRetry{}, fmt.Errorf("card %s has no message to retry, so none was retried: see giftcards messages list", card)
			}
		}
		return printedRetry{len(retried)}, s.audit(tx, store.AuditEntry{Operation: "messages retry", Cards: int32(len(retried))})
	})
}

type dropMessages struct {
	Cards     []id.ID       `arg:"" optional:"" name:"card-id" help:"Cards whose messages to drop."`
	User      string        `placeholder:"EMAIL" help:"Messages of the cards that this user issued at once (as far back as the audit log goes) or by tasks that are still kept."`
	Merchant  id.ID         `placeholder:"ID" help:"Messages of this merchant's cards."`
	Task      uuid.UUID     `placeholder:"ID" help:"Messages of this task's cards, as long as the task is kept."`
	OlderThan time.Duration `placeholder:"DURATION" help:"Only messages of cards issued longer ago than this, such as 1h."`
	Kind      kinds         `placeholder:"KINDS" help:"Only messages of these kinds, as for messages list."`
}

type printedDrop struct {
	Dropped int `json:"dropped"`
	// BeingSent are the cards whose dropped message a worker is sending at this moment. It
	// may still arrive.
	BeingSent []id.ID `json:"beingSent"`
}

func (c dropMessages) Run(s *session) error {
	// Without one of these, the filter would match the messages of all cards.
	if len(c.Cards) == 0 && c.User == "" && c.Merchant.IsZero() && c.Task == uuid.Nil {
		return errors.New("name cards, --user, --merchant or --task")
	}
	if c.OlderThan < 0 {
		return errors.New("--older-than: want a duration such as 24h")
	}
	if err := c.Kind.fault(); err != nil {
		return err
	}
	return printWritten(s, func(tx *store.Tx) (printedDrop, error) {
		user, err := userNamed(s, tx, c.User)
		if err != nil {
			return printedDrop{}, err
		}
		dropped, err := tx.DropMessages(s, store.MessageFilter{
			Cards: c.Cards, Merchant: c.Merchant, User: user.ID, Task: c.Task, OlderThan: c.OlderThan, Kinds: c.Kind,
		})
		if err != nil {
			return printedDrop{}, err
		}
		// An error here undoes the drops, because both are in one transaction.
		printed, err := c.result(dropped)
		if err != nil {
			return printedDrop{}, err
		}
		return printed, s.audit(tx, c.entry(user, len(dropped)))
	})
}

// result fails if a named card has no message to drop, because the operator has probably
// mistyped it.
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
			return printedDrop{}, fmt.Errorf("card %s has no message to drop, so none was dropped: see giftcards messages list", card)
		}
	}
	return printed, nil
}

// entry returns the audit entry. Its subject is the most specific thing that was named: a
// card, else a task, else a user.
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

// readdress sends a card's message to another address, and stores the address.
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

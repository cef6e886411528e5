package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Message is a row of messages: what a card's recipient is to be told, or was,
// over one channel.
type Message = db.Message

// The channels of messages.
const (
	ChannelEmail = "email"
	ChannelSMS   = "sms"
)

// The states of a message.
const (
	MessageScheduled = "scheduled" // to be sent, perhaps again
	MessageSent      = "sent"      // the server took it
	MessageWritten   = "written"   // it is in a file, and nobody got it; an operator may retry it
	MessageFailed    = "failed"    // given up; an operator may retry it
	MessageDropped   = "dropped"   // the card was of no more use before its time, or an operator dropped it
)

// MessageStates are all of them.
var MessageStates = []string{MessageScheduled, MessageSent, MessageWritten, MessageFailed, MessageDropped}

// Lane is a queue of messages. Those of tasks are in one of their own, where
// programs take turns, so that nobody waits for another one's hundred thousand.
type Lane struct {
	Channel string
	Bulk    bool
}

// Due is a claimed message with what its text is made of. The code is still
// sealed: see OpenCode.
type Due struct {
	Message
	Card         GiftCard
	MerchantName string
	TimeZone     string // of the program, an IANA name
}

const (
	// giveUpAfter is how long a message is tried.
	giveUpAfter = 24 * time.Hour
	// firstPause and longestPause bound the wait between two attempts, which doubles.
	firstPause, longestPause = 15 * time.Second, 30 * time.Minute
	// MessageLease is how long a claimed message is kept from others, and the time to
	// send it and to record what came of it.
	MessageLease = 90 * time.Second
	// maxUnconfirmed is how often a message may be handed over without a word
	// whether it was taken: the first time and once again.
	maxUnconfirmed = 2
)

// newMessages makes the rows of messages for those cards whose recipient can be
// reached, one a channel, due when asked for or at once.
func (tx *Tx) newMessages(cards []GiftCard, bulk bool) []db.CopyMessagesParams {
	var messages []db.CopyMessagesParams
	for _, card := range cards {
		sendAt := tx.now
		if card.DeliverAt != nil && card.DeliverAt.After(sendAt) {
			sendAt = *card.DeliverAt
		}
		add := func(channel string, address *string) {
			if address != nil {
				messages = append(messages, db.CopyMessagesParams{
					ProgramID: card.ProgramID, CardID: card.ID, Channel: channel, Address: *address, Bulk: bulk,
					SendAt: sendAt, NextAttemptAt: sendAt, CreatedAt: tx.now,
				})
			}
		}
		add(ChannelEmail, card.CustomerEmail)
		add(ChannelSMS, card.CustomerPhone)
	}
	return messages
}

func (tx *Tx) insertMessages(ctx context.Context, cards []GiftCard) error {
	messages := tx.newMessages(cards, false)
	if len(messages) == 0 {
		return nil
	}
	batch := make([]db.InsertMessageParams, len(messages))
	for i, m := range messages {
		batch[i] = db.InsertMessageParams(m)
	}
	var failed error
	tx.q.InsertMessage(ctx, batch).Exec(func(_ int, err error) { failed = errors.Join(failed, err) })
	if failed != nil {
		return fmt.Errorf("insert messages: %w", failed)
	}
	return nil
}

// DueCount is how many messages of a lane are due, and since when the oldest is.
type DueCount struct {
	// Program whose tasks they are of; zero for all cards that were issued at once.
	Program id.ID
	Count   int64
	Oldest  time.Time // now without any
}

// CountDue counts the messages of the lane that are due, limit at most of each
// program: those of tasks by program, in the order of ids.
func (tx *Tx) CountDue(ctx context.Context, lane Lane, limit int) ([]DueCount, error) {
	if !lane.Bulk {
		due, err := tx.q.CountDueMessages(ctx, lane.Channel, tx.now, int32(limit))
		return []DueCount{{Count: due.Messages, Oldest: due.Oldest}}, wrap(err, "count due messages")
	}
	rows, err := tx.q.CountDueTaskMessages(ctx, lane.Channel, tx.now, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("count due messages of tasks: %w", err)
	}
	return each(rows, func(r db.CountDueTaskMessagesRow) DueCount {
		return DueCount{Program: id.ID(r.ProgramID), Count: r.Messages, Oldest: r.Oldest}
	}), nil
}

// maxEnded bounds how many messages that are not to be sent one claim passes by.
const maxEnded = 100

// ClaimMessage returns the message of the lane that is due longest (of a lane of
// tasks: of the program's), nil if there is none, and keeps it from others for
// MessageLease. It is to be sent after the commit, and what came of it recorded
// before the lease ends: without a record, as after a crash, it counts as handed
// over without a confirmation. Messages of cards that are of no more use, and those
// that may have been handed over too often, end here.
func (tx *Tx) ClaimMessage(ctx context.Context, lane Lane, program id.ID) (*Due, error) {
	for range maxEnded {
		row, err := tx.claim(ctx, lane, program)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("claim message: %w", err)
		}
		due := &Due{Message: row}
		status, reason := MessageFailed, "there is no such card"
		switch found, err := tx.q.FindMessageCard(ctx, row.ProgramID, row.CardID); {
		case err == nil:
			due.Card, due.MerchantName, due.TimeZone = found.GiftCard, found.MerchantName, found.TimeZone
			status, reason = tx.unfit(due)
		case !errors.Is(err, pgx.ErrNoRows): // one bad row must not block the lane
			return nil, fmt.Errorf("find card of message: %w", err)
		}
		if status == MessageScheduled {
			return due, nil
		}
		end := unsent(due, reason)
		end.Status, end.Attempts, end.Unconfirmed = status, row.Attempts-1, row.Unconfirmed-1
		if err := tx.setUnsent(ctx, end); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (tx *Tx) claim(ctx context.Context, lane Lane, program id.ID) (Message, error) {
	leaseEnd, giveUpAt := tx.now.Add(MessageLease), tx.now.Add(giveUpAfter)
	if lane.Bulk {
		return tx.q.ClaimTaskMessage(ctx, db.ClaimTaskMessageParams{
			Channel: lane.Channel, ProgramID: program, Now: tx.now, LeaseEnd: leaseEnd, GiveUpAt: giveUpAt,
		})
	}
	return tx.q.ClaimMessage(ctx, db.ClaimMessageParams{Channel: lane.Channel, Now: tx.now, LeaseEnd: leaseEnd, GiveUpAt: giveUpAt})
}

// unfit says how a claimed message ends that is not to be sent, and why.
func (tx *Tx) unfit(due *Due) (status, reason string) {
	switch {
	case !due.Card.ExpiresAt.After(tx.now):
		return MessageDropped, "the card expired"
	case due.Card.Status != CardPending && due.Card.Status != CardActive:
		return MessageDropped, "the card is " + due.Card.Status
	case due.Unconfirmed > maxUnconfirmed:
		return MessageFailed, "handed over twice, without a word whether it was taken"
	}
	return MessageScheduled, ""
}

// RecordSent records that the message was taken, whoever else has claimed it
// meanwhile, and the card as delivered if it was the last of its messages.
func (tx *Tx) RecordSent(ctx context.Context, due *Due) error {
	changed, err := tx.q.SetMessageSent(ctx, db.SetMessageSentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, SentAt: tx.now,
	})
	if err != nil || changed == 0 {
		return wrap(err, "record sent message")
	}
	tx.tally.message(due.Channel, MessageSent)
	if err := tx.q.LockCard(ctx, due.ProgramID, due.CardID); err != nil {
		return fmt.Errorf("lock card: %w", err)
	}
	return wrap(tx.q.SetCardDelivered(ctx, tx.now, due.ProgramID, due.CardID), "record delivered card")
}

// RecordWritten records that the message is in a file, whoever else has claimed it
// meanwhile. That delivers no card.
func (tx *Tx) RecordWritten(ctx context.Context, due *Due) error {
	changed, err := tx.q.SetMessageWritten(ctx, due.ProgramID, due.CardID, due.Channel)
	if changed > 0 {
		tx.tally.message(due.Channel, MessageWritten)
	}
	return wrap(err, "record written message")
}

// RecordRefused records that the message was refused for good: failed.
func (tx *Tx) RecordRefused(ctx context.Context, due *Due, reason string) error {
	end := unsent(due, reason)
	end.Status, end.Unconfirmed = MessageFailed, due.Unconfirmed-1
	return tx.setUnsent(ctx, end)
}

// RecordDeferred records that the message was not taken, or, if unconfirmed,
// that nobody knows whether it was. It is tried again after a pause, or has
// failed if it was tried for long enough.
func (tx *Tx) RecordDeferred(ctx context.Context, due *Due, reason string, unconfirmed bool) error {
	end := unsent(due, reason)
	end.Status = MessageScheduled
	if !unconfirmed {
		end.Unconfirmed--
	}
	last := *due.GiveUpAt
	end.NextAttemptAt = tx.now.Add(min(firstPause<<min(due.Attempts-1, 10), longestPause))
	if end.NextAttemptAt.After(last) {
		end.NextAttemptAt = last
	}
	if !tx.now.Before(last) || end.Unconfirmed >= maxUnconfirmed {
		end.Status = MessageFailed
	}
	return tx.setUnsent(ctx, end)
}

// ReleaseMessage records that the attempt was called off before anything was
// handed over. The message is due at once.
func (tx *Tx) ReleaseMessage(ctx context.Context, due *Due) error {
	end := unsent(due, "")
	end.Status, end.Attempts, end.Unconfirmed, end.NextAttemptAt = MessageScheduled, due.Attempts-1, due.Unconfirmed-1, tx.now
	end.LastError = due.LastError
	return tx.setUnsent(ctx, end)
}

// unsent leaves a claimed message as it is, but for the reason.
func unsent(due *Due, reason string) db.SetMessageUnsentParams {
	return db.SetMessageUnsentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Attempt: due.Attempts,
		Attempts: due.Attempts, Unconfirmed: due.Unconfirmed, NextAttemptAt: due.NextAttemptAt, LastError: &reason,
	}
}

func (tx *Tx) setUnsent(ctx context.Context, end db.SetMessageUnsentParams) error {
	changed, err := tx.q.SetMessageUnsent(ctx, end) // no row: somebody else has it by now
	if changed > 0 {
		tx.tally.message(end.Channel, end.Status)
	}
	return wrap(err, "record unsent message")
}

// Messages returns messages in a state, the latest first, limit at most.
func (tx *Tx) Messages(ctx context.Context, status string, limit int) ([]Message, error) {
	if !slices.Contains(MessageStates, status) {
		return nil, fmt.Errorf("messages are never %q", status)
	}
	rows, err := tx.q.ListMessages(ctx, status, int32(limit))
	return rows, wrap(err, "list messages")
}

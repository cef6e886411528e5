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

// Message is a row of messages: a message about one card over one channel.
type Message = db.Message

// The channels of messages.
const (
	ChannelEmail = "email"
	ChannelSMS   = "sms"
)

// The kinds of messages, by what they say. All of them have the card's number and code.
const (
	MessageCard          = "card"          // here is the gift card
	MessageCode          = "code"          // the card that you have has a new security code
	MessageOwner         = "owner"         // the card of somebody else is yours now
	MessageConsolidation = "consolidation" // your cards are merged into this one
)

// MessageKinds are the kinds of messages. Those of receipts are Receipts.
var MessageKinds = []string{MessageCard, MessageCode, MessageOwner, MessageConsolidation}

// The states of a message.
const (
	MessageScheduled = "scheduled" // waits for its first or another attempt
	MessageSent      = "sent"      // the mail or SMS server took it
	MessageWritten   = "written"   // written to a file, so nobody got it; an operator may retry it
	MessageFailed    = "failed"    // given up; an operator may retry it
	MessageDropped   = "dropped"   // must not be sent: the card was voided, has expired or has another owner, a later message replaced it, or an operator dropped it
)

// MessageStates are all states of messages.
var MessageStates = []string{MessageScheduled, MessageSent, MessageWritten, MessageFailed, MessageDropped}

// Lane is a queue of messages. The messages of tasks have lanes of their own, in which
// programs take turns, so that no program waits for another one's 100,000 messages.
type Lane struct {
	Channel string
	Bulk    bool
}

// Due is a claimed message with everything that its text needs. The code is still sealed;
// OpenCode opens it.
type Due struct {
	Message
	Card         GiftCard
	Program      Program
	MerchantName string
}

const (
	// giveUpAfter is how long attempts go on after the first one.
	giveUpAfter = 24 * time.Hour
	// firstPause and longestPause bound the pause between two attempts, which doubles.
	firstPause, longestPause = 15 * time.Second, 30 * time.Minute
	// MessageLease is how long other workers leave a claimed message alone. Its worker must
	// send it and record the outcome in this time.
	MessageLease = 90 * time.Second
	// maxUnconfirmed is how many attempts may end without a known outcome. A third attempt
	// could be a third copy for the recipient.
	maxUnconfirmed = 2
	// suspensionLook is the longest pause between two looks whether the card of a waiting
	// message is still suspended, because the end of a suspension may be moved.
	suspensionLook = time.Hour
)

// DueCount is how many messages of a lane are due, and since when the oldest has been.
type DueCount struct {
	// Program issued the cards; zero in the lane of cards that were issued at once, which
	// all programs share.
	Program id.ID
	Count   int64
	Oldest  time.Time // now if none is due
}

// CountDue counts the due messages of the lane. A lane of tasks has a count for each program,
// in the order of their ids. Each count stops at limit.
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

// maxEnded bounds how many messages that must not be sent one claim ends on its way.
const maxEnded = 100

// ClaimMessage returns the message of the lane that has been due longest, nil if there is
// none. In a lane of tasks, it looks only at the messages of program. Other workers leave
// the message alone for MessageLease. Send it after the commit, and record the outcome
// before the lease ends: without a record, as after a crash, the attempt counts as one with
// an unknown outcome.
//
// ClaimMessage ends messages that must not be sent: those of cards that are of no use any
// more, and those with too many unknown outcomes. Messages of suspended cards wait.
func (tx *Tx) ClaimMessage(ctx context.Context, lane Lane, program id.ID) (*Due, error) {
	for range maxEnded {
		row, err := tx.claim(ctx, lane, program)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("claim message: %w", err)
		}
		// A card that is missing fails its own message, so that it does not block the lane.
		due := &Due{Message: row}
		status, reason := MessageFailed, "there is no such card"
		switch found, err := tx.q.FindMessageCard(ctx, row.ProgramID, row.CardID); {
		case err == nil:
			due.Card, due.Program, due.MerchantName = found.GiftCard, found.Program, found.MerchantName
			if StateOf(&due.Card, tx.now) == CardSuspended {
				if err := tx.postpone(ctx, due); err != nil {
					return nil, err
				}
				continue
			}
			status, reason = tx.unfit(due)
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, fmt.Errorf("find card of message: %w", err)
		}
		if status == MessageScheduled {
			return due, nil
		}
		// The claim has counted an attempt. There was none, so take it back.
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

// postpone takes back the claim of a message whose card is suspended, and lets the message
// wait until the suspension is over, or for suspensionLook.
func (tx *Tx) postpone(ctx context.Context, due *Due) error {
	next := tx.now.Add(suspensionLook)
	if until := due.Card.SuspendedUntil; until != nil && until.Before(next) {
		next = *until
	}
	reason := "the card is suspended"
	return wrap(tx.q.PostponeMessage(ctx, db.PostponeMessageParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Kind: due.Kind, Sequence: due.Sequence,
		Attempt: due.Attempts, NextAttemptAt: next, LastError: &reason,
	}), "postpone message")
}

// unfit returns how a claimed message that must not be sent ends, and why. It returns
// MessageScheduled if the message may be sent. The message of an empty card is sent, because the
// card may have been spent before its recipient was told of it.
func (tx *Tx) unfit(due *Due) (status, reason string) {
	state := StateOf(&due.Card, tx.now)
	switch {
	case state == CardVoided:
		return MessageDropped, "the card is voided"
	case state == CardExpired:
		return MessageDropped, "the card expired"
	case due.Unconfirmed > maxUnconfirmed:
		return MessageFailed, "handed over twice, and no answer said whether it was taken"
	}
	return MessageScheduled, ""
}

// RecordSent records that the message was sent, even if another worker has claimed it
// meanwhile. If it was the last message of its card, the card is delivered.
func (tx *Tx) RecordSent(ctx context.Context, due *Due) error {
	// Lock the card first: when both channels are sent at once, the later one then sees the
	// earlier one, and marks the card as delivered. A change of the card, such as a void, locks
	// it before its messages too, so the two cannot deadlock.
	if err := tx.q.LockCard(ctx, due.ProgramID, due.CardID); err != nil {
		return fmt.Errorf("lock card: %w", err)
	}
	changed, err := tx.q.SetMessageSent(ctx, db.SetMessageSentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Kind: due.Kind, Sequence: due.Sequence, SentAt: tx.now,
	})
	if err != nil || changed == 0 {
		return wrap(err, "record sent message")
	}
	tx.tally.message(due.Channel, MessageSent)
	return wrap(tx.q.SetCardDelivered(ctx, tx.now, due.ProgramID, due.CardID), "record delivered card")
}

// RecordWritten records that the message was written to a file, even if another worker has
// claimed it meanwhile. The card does not count as delivered.
func (tx *Tx) RecordWritten(ctx context.Context, due *Due) error {
	changed, err := tx.q.SetMessageWritten(ctx, db.SetMessageWrittenParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Kind: due.Kind, Sequence: due.Sequence,
	})
	if changed > 0 {
		tx.tally.message(due.Channel, MessageWritten)
	}
	return wrap(err, "record written message")
}

// RecordRefused records that the message was refused for good. It has failed.
func (tx *Tx) RecordRefused(ctx context.Context, due *Due, reason string) error {
	end := unsent(due, reason)
	end.Status, end.Unconfirmed = MessageFailed, due.Unconfirmed-1
	return tx.setUnsent(ctx, end)
}

// RecordDeferred records that the message was not sent, or, if unconfirmed, that the outcome
// is unknown. The message is tried again after a pause. It has failed if it was tried for
// 24 hours, or if too many outcomes are unknown.
func (tx *Tx) RecordDeferred(ctx context.Context, due *Due, reason string, unconfirmed bool) error {
	end := unsent(due, reason)
	end.Status = MessageScheduled
	if !unconfirmed {
		end.Unconfirmed--
	}
	// The last attempt is made when the message is given up, however long the pause would be.
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

// ReleaseMessage takes back a claim if nothing was sent. The message is due at once.
func (tx *Tx) ReleaseMessage(ctx context.Context, due *Due) error {
	end := unsent(due, "")
	end.Status, end.Attempts, end.Unconfirmed, end.NextAttemptAt = MessageScheduled, due.Attempts-1, due.Unconfirmed-1, tx.now
	end.LastError = due.LastError
	return tx.setUnsent(ctx, end)
}

// unsent returns the parameters that leave a claimed message as it is, except for the reason.
// Callers adjust the fields that change.
func unsent(due *Due, reason string) db.SetMessageUnsentParams {
	return db.SetMessageUnsentParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Channel: due.Channel, Kind: due.Kind, Sequence: due.Sequence, Attempt: due.Attempts,
		Attempts: due.Attempts, Unconfirmed: due.Unconfirmed, NextAttemptAt: due.NextAttemptAt, LastError: &reason,
	}
}

func (tx *Tx) setUnsent(ctx context.Context, end db.SetMessageUnsentParams) error {
	changed, err := tx.q.SetMessageUnsent(ctx, end) // no row: another worker has claimed it by now
	if changed > 0 {
		tx.tally.message(end.Channel, end.Status)
	}
	return wrap(err, "record unsent message")
}

// Messages returns at most limit messages in a state, of the named kinds or of all, the latest
// first.
func (tx *Tx) Messages(ctx context.Context, status string, limit int, kinds ...string) ([]Message, error) {
	if !slices.Contains(MessageStates, status) {
		return nil, fmt.Errorf("messages are never %q", status)
	}
	rows, err := tx.q.ListMessages(ctx, status, chosen(MessageKinds, kinds), int32(limit))
	return rows, wrap(err, "list messages")
}

// chosen returns those of all kinds that are named, or all if none is. It is never nil, which a
// statement would take for any.
func chosen(all, named []string) []string {
	if len(named) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(kind string) bool { return !slices.Contains(named, kind) })
}

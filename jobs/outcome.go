package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"giftcards/jobs/message"
	"giftcards/jobs/transport"
	"giftcards/store"
)

// outcome returns the function that records the result of sending.
func (c *courier) outcome(ctx context.Context, due *store.Due, code string, sent error) func(context.Context, *store.Tx) error {
	if _, toFile := c.sender.(*transport.Outbox); sent == nil && toFile {
		return func(ctx context.Context, tx *store.Tx) error { return tx.RecordWritten(ctx, due) }
	}
	if sent == nil {
		return func(ctx context.Context, tx *store.Tx) error { return tx.RecordSent(ctx, due) }
	}
	failed, fromSender := errors.AsType[*transport.Error](sent)
	if !fromSender {
		failed = &transport.Error{Stage: "compose", Err: sent}
	}
	// The stop came before the server had the whole message: it may be sent again at once.
	if ctx.Err() != nil && !failed.Permanent && !failed.Unconfirmed {
		return func(ctx context.Context, tx *store.Tx) error { return tx.ReleaseMessage(ctx, due) }
	}
	c.logFailure(ctx, due, failed)
	// A server's answer may quote the message. The card must not leak into the reason.
	number := store.FormatNumber(due.Card.CardNumber)
	reason := strings.NewReplacer(number, "[number]", message.Group(number), "[number]", code, "[code]").
		Replace(failed.Error())
	if ctx.Err() != nil && failed.Unconfirmed {
		reason = "stopped before the server had answered: " + reason
	}
	return func(ctx context.Context, tx *store.Tx) error {
		if failed.Permanent {
			return tx.RecordRefused(ctx, due, reason)
		}
		return tx.RecordDeferred(ctx, due, reason, failed.Unconfirmed)
	}
}

// logFailure logs a failed attempt. It logs a fault of the settings once per cause and
// minute, because such a fault concerns every message.
func (c *courier) logFailure(ctx context.Context, due *store.Due, failed *transport.Error) {
	if failed.Settings {
		if attempts := c.faults.attemptsToLog(due.Channel, failed); attempts > 0 {
			c.logger.WarnContext(ctx, "messages cannot be handed over", "channel", due.Channel,
				"stage", failed.Stage, "code", failed.Code, "attempts", attempts, "error", failed.Err)
		}
		return
	}
	// The server's answer is left out, because it may contain the recipient's address.
	c.logger.WarnContext(ctx, "message not delivered", "card_id", due.CardID, "channel", due.Channel, "attempt", due.Attempts,
		"stage", failed.Stage, "code", failed.Code, "permanent", failed.Permanent, "unconfirmed", failed.Unconfirmed)
}

// record records an outcome. It retries until the lease ends, because a message without a
// recorded outcome is sent again.
func (c *courier) record(ctx context.Context, due *store.Due, outcome func(context.Context, *store.Tx) error) error {
	for {
		// Even after ctx has ended, the outcome gets one attempt.
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		err := store.Do(attempt, c.store, func(tx *store.Tx) error { return outcome(attempt, tx) })
		cancel()
		// After the lease another worker may claim the message, and its record must win.
		if err == nil || ctx.Err() != nil || c.store.Clock().Add(recordPause).After(due.NextAttemptAt) {
			return err
		}
		select {
		case <-time.After(recordPause):
		case <-ctx.Done():
		}
	}
}

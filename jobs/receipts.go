package jobs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport"
	"giftcards/store"
	"giftcards/store/id"
)

const (
	// receiptWorkers send the receipts of one channel. They get a permit only if no message of a
	// card waits for one.
	receiptWorkers = 2
	// receiptLook is the pause between looks for due receipts.
	receiptLook = 2 * time.Second
	// askEvery is the pause between looks which programs ask for receipts.
	askEvery = 20 * time.Second
	// remindEvery is the pause between looks for cards that expire soon.
	remindEvery = time.Hour
	remindBatch = 1000
)

// followReceipts reads again and again which programs ask for receipts, until ctx ends.
func (j *Jobs) followReceipts(ctx context.Context) {
	for {
		if err := j.store.ReadReceiptPrograms(ctx); err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "reading which programs ask for receipts failed", "error", err)
		}
		select {
		case <-time.After(j.options.AskEvery):
		case <-ctx.Done():
			return
		}
	}
}

// remind queues reminders of cards that expire soon, until ctx ends. All instances may do so at
// the same time, because a card has each reminder once.
func (j *Jobs) remind(ctx context.Context) {
	for {
		if err := j.queueReminders(ctx); err != nil && ctx.Err() == nil {
			j.options.Logger.WarnContext(ctx, "queueing reminders failed", "error", err)
		}
		select {
		case <-time.After(j.options.RemindEvery):
		case <-ctx.Done():
			return
		}
	}
}

// queueReminders walks over the cards of each program, in batches with a transaction each.
func (j *Jobs) queueReminders(ctx context.Context) error {
	programs, err := store.Read(ctx, j.store, func(tx *store.Tx) ([]id.ID, error) { return tx.RemindingPrograms(ctx) })
	if err != nil {
		return err
	}
	for _, program := range programs {
		for _, days := range store.Reminders {
			var place store.ReminderPlace
			for more := true; more; {
				batch, cancel := context.WithTimeout(ctx, sweepTimeout)
				err := store.Do(batch, j.store, func(tx *store.Tx) (err error) {
					place, more, err = tx.QueueReminders(batch, program, days, place, remindBatch)
					return err
				})
				// There is no defer, because all timers would then last until the walk ends.
				cancel()
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// receiptCourier sends the receipts of one channel.
type receiptCourier struct {
	*courier
	channel string
	refuse  func(program id.ID, address string) string // the address at which receipts are refused
}

// sendReceipts sends due receipts until ctx ends.
func (c *receiptCourier) sendReceipts(ctx, sendCtx context.Context) {
	for {
		due, err := store.Read(ctx, c.store, func(tx *store.Tx) (bool, error) { return tx.ReceiptDue(ctx, c.channel) })
		if err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "looking for due receipts failed", "channel", c.channel, "error", err)
		}
		if !due {
			select {
			case <-time.After(min(receiptLook, 4*c.lookEvery)):
				continue
			case <-ctx.Done():
				return
			}
		}
		// The permit comes before the claim, because its lease must not end while others have the
		// permits.
		select {
		case <-c.permits:
		case <-ctx.Done():
			return
		}
		if err := c.sendReceipt(sendCtx); err != nil && sendCtx.Err() == nil {
			c.logger.WarnContext(ctx, "sending a receipt failed", "channel", c.channel, "error", err)
		}
	}
}

// sendReceipt sends the receipt that has been due longest, if there is one. The claim is committed
// before, so that a receipt whose outcome nobody knows is not sent again.
func (c *receiptCourier) sendReceipt(ctx context.Context) error {
	due, err := store.Write(ctx, c.store, func(tx *store.Tx) (*store.DueReceipt, error) { return tx.ClaimReceipt(ctx, c.channel) })
	if err != nil || due == nil {
		return err
	}
	m, err := c.composeReceipt(due)
	if err == nil {
		err = c.sender.Send(ctx, m)
	}
	// Even after ctx has ended, the outcome is recorded.
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return store.Do(recording, c.store, func(tx *store.Tx) error { return c.recordReceipt(recording, tx, due, err) })
}

// recordReceipt records the outcome of an attempt. A receipt that may have been taken has failed,
// because nobody needs it twice.
func (c *receiptCourier) recordReceipt(ctx context.Context, tx *store.Tx, due *store.DueReceipt, sent error) error {
	if _, toFile := c.sender.(*transport.Outbox); sent == nil && toFile {
		return tx.EndReceipt(ctx, due, store.MessageWritten, "")
	}
	if sent == nil {
		return tx.EndReceipt(ctx, due, store.MessageSent, "")
	}
	failed, fromSender := errors.AsType[*transport.Error](sent)
	if !fromSender {
		failed = &transport.Error{Stage: "compose", Err: sent}
	}
	// The server's words are left out of the log, because they may contain the address.
	c.logger.WarnContext(ctx, "receipt not delivered", "card_id", due.CardID, "channel", due.Channel, "attempt", due.Attempts,
		"stage", failed.Stage, "code", failed.Code, "permanent", failed.Permanent, "unconfirmed", failed.Unconfirmed)
	if failed.Unconfirmed {
		return tx.LoseReceipt(ctx, due, failed.Error())
	}
	if failed.Permanent {
		return tx.EndReceipt(ctx, due, store.MessageFailed, failed.Error())
	}
	return tx.DeferReceipt(ctx, due, failed.Error())
}

// composeReceipt makes the message of a receipt.
func (c *receiptCourier) composeReceipt(due *store.DueReceipt) (transport.Message, error) {
	settings, err := texts.NewSettings(due.Program.Locale, due.Program.Currency, due.Program.TimeZone)
	if err != nil {
		return transport.Message{}, err
	}
	number := store.FormatNumber(due.Card.CardNumber)
	refuse := ""
	if due.Channel == store.ChannelEmail && c.refuse != nil {
		refuse = c.refuse(due.ProgramID, due.Address)
	}
	compose := c.templates.ComposeReceiptMail
	if due.Channel == store.ChannelSMS {
		compose = c.templates.ComposeReceiptSMS
	}
	content, err := compose(message.Receipt{
		Kind: due.Kind, Merchant: due.MerchantName, From: orEmpty(due.Program.SenderName), Recipient: orEmpty(due.Card.CustomerName),
		Amount: due.Amount.String(), Balance: due.Balance.String(), LastFour: number[len(number)-4:], ExpiresAt: due.Card.ExpiresAt,
		Now: c.store.Clock(), Settings: settings, Refuse: refuse,
	})
	if err != nil {
		return transport.Message{}, err
	}
	m := transport.Message{
		// The occasion belongs to the ID, because a card may have many receipts of one kind.
		ID: due.CardID.String() + "." + due.Kind + "." + digitsAndLetters(due.Occasion), To: due.Address, FromName: content.From,
		ReplyTo: orEmpty(due.Program.ReplyTo), Date: c.store.Clock(), Subject: content.Subject, Text: content.Text, HTML: content.HTML, Unsubscribe: refuse,
	}
	if due.Channel == store.ChannelSMS {
		m.Text = content.SMS
	}
	return m, nil
}

// digitsAndLetters leaves out what a Message-ID may not have.
func digitsAndLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// startReceipts starts the workers of a channel's receipts.
func (c *courier) startReceipts(ctx, sendCtx context.Context, all *sync.WaitGroup, refuse func(id.ID, string) string) {
	receipts := &receiptCourier{courier: c, channel: c.lane.Channel, refuse: refuse}
	for range receiptWorkers {
		all.Go(func() { receipts.sendReceipts(ctx, sendCtx) })
	}
}

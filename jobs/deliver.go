package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"giftcards/jobs/message"
	"giftcards/jobs/transport"
	"giftcards/store"
	"giftcards/store/id"
)

// Delivery configures the delivery of messages to recipients.
type Delivery struct {
	Templates *message.Templates
	Mail, SMS Route
	// LookEvery is the pause between looks for due messages, 500 ms if zero.
	LookEvery time.Duration
	// Refuse returns the address at which a recipient refuses receipts of a program; nil: mails
	// have none.
	Refuse func(program id.ID, address string) string
}

// Route sends the messages of one channel.
type Route struct {
	Sender transport.Sender
	// PerSecond is the rate limit of this instance, in messages a second.
	PerSecond int
}

// SendTimeout bounds the sending of one message. It is long, because a server may scan a
// mail before it answers. It ends before the message's lease, so that the outcome can
// still be recorded.
const SendTimeout = store.MessageLease - leftForRecord

const (
	leftForRecord = 30 * time.Second
	ownPause      = 2 * time.Second // between checks of whether this database may send
	recordTimeout = 5 * time.Second
	recordPause   = time.Second
	lookPause     = 2 * time.Second // after a failed look
	// A lane has enough workers that a few slow servers do not delay the rest.
	cardWorkers, bulkWorkers = 8, 24
)

// courier delivers the messages of one lane.
type courier struct {
	store     *store.Store
	logger    *slog.Logger
	templates *message.Templates
	lookEvery time.Duration

	lane    store.Lane
	sender  transport.Sender
	workers int
	faults  *settingsFaults
	due     chan id.ID      // a program with a due message; a worker should claim the message
	permits <-chan struct{} // a permit to send one message
}

// deliver sends messages until ctx ends. Then it waits for messages that are being sent;
// they end with sendCtx at the latest. A copy of the database sends nothing until an
// operator allows it.
func (j *Jobs) deliver(ctx, sendCtx context.Context) {
	// The senders close after all.Wait, because workers may be sending until then.
	defer j.options.Delivery.Mail.Sender.Close()
	defer j.options.Delivery.SMS.Sender.Close()
	if !j.awaitOwnership(ctx) {
		return
	}
	var all sync.WaitGroup
	// All lanes share it, because a fault of the settings should give one log line and not one a lane.
	faults := &settingsFaults{now: j.store.Clock}
	for channel, route := range map[string]Route{
		store.ChannelEmail: j.options.Delivery.Mail, store.ChannelSMS: j.options.Delivery.SMS,
	} {
		// There is no buffer, because pace prefers a lane only if one of its workers waits at that moment.
		cards, bulk, receipts := make(chan struct{}), make(chan struct{}), make(chan struct{})
		all.Go(func() { pace(ctx, route.PerSecond, cards, bulk, receipts) })
		for _, c := range []*courier{
			{lane: store.Lane{Channel: channel}, workers: cardWorkers, permits: cards},
			{lane: store.Lane{Channel: channel, Bulk: true}, workers: bulkWorkers, permits: bulk},
		} {
			c.store, c.logger, c.templates, c.lookEvery = j.store, j.options.Logger, j.options.Delivery.Templates, j.options.Delivery.LookEvery
			c.sender, c.faults, c.due = route.Sender, faults, make(chan id.ID)
			all.Go(func() { c.look(ctx) })
			for range c.workers {
				all.Go(func() { c.work(ctx, sendCtx) })
			}
		}
		// This courier has no due channel and no look, because the workers of receipts look for themselves.
		(&courier{
			lane: store.Lane{Channel: channel}, permits: receipts, store: j.store, logger: j.options.Logger,
			templates: j.options.Delivery.Templates, lookEvery: j.options.Delivery.LookEvery, sender: route.Sender,
		}).startReceipts(ctx, sendCtx, &all, j.options.Delivery.Refuse)
	}
	all.Wait()
}

// awaitOwnership waits until this database may send messages. It returns false if ctx
// ends first.
func (j *Jobs) awaitOwnership(ctx context.Context) bool {
	for said := false; ; {
		// The first database that asks becomes the owner, hence a write.
		owns, err := store.Write(ctx, j.store, func(tx *store.Tx) (bool, error) { return tx.OwnsMessages(ctx) })
		switch {
		case owns && said:
			j.options.Logger.InfoContext(ctx, "this database sends messages from now on")
			return true
		case owns:
			return true
		case err != nil && ctx.Err() == nil:
			j.options.Logger.WarnContext(ctx, "checking whether this database may send messages failed", "error", err)
		case !said && err == nil:
			said = true
			j.options.Logger.WarnContext(ctx, "no message is sent, because this database is a copy of another one: giftcards messages resume lets it send")
		}
		select {
		case <-time.After(ownPause):
		case <-ctx.Done():
			return false
		}
	}
}

// work sends due messages until ctx ends. It waits for a permit only after it has a
// message, because a permit that waits is lost to the other workers.
func (c *courier) work(ctx, sendCtx context.Context) {
	for {
		var program id.ID
		select {
		case program = <-c.due:
		case <-ctx.Done():
			return
		}
		select {
		case <-c.permits:
		// The message is not lost, because only deliverOne claims it.
		case <-ctx.Done():
			return
		}
		if err := c.deliverOne(sendCtx, program); err != nil && sendCtx.Err() == nil {
			c.logger.WarnContext(ctx, "delivering failed", "channel", c.lane.Channel, "error", err)
		}
	}
}

// deliverOne sends the lane's oldest due message, if there is one. In a lane of tasks it
// is the oldest of the program. The claim is committed before the message is sent, so that
// a crash during sending leaves a trace.
func (c *courier) deliverOne(ctx context.Context, program id.ID) error {
	due, err := store.Write(ctx, c.store, func(tx *store.Tx) (*store.Due, error) {
		return tx.ClaimMessage(ctx, c.lane, program)
	})
	if err != nil || due == nil {
		return err
	}
	// A code that does not open is recorded like a message that was not sent.
	code, err := c.store.OpenCode(due.Card.ID, due.Card.SealedCode)
	if err == nil {
		err = c.send(ctx, due, code)
	}
	return c.record(ctx, due, c.outcome(ctx, due, code, err))
}

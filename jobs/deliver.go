package jobs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

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
	ownPause      = 2 * time.Second // between looks whether a copy may send by now
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
	defer j.options.Delivery.Mail.Sender.Close()
	defer j.options.Delivery.SMS.Sender.Close()
	if !j.awaitOwnership(ctx) {
		return
	}
	var all sync.WaitGroup
	faults := &settingsFaults{now: j.store.Now}
	for channel, route := range map[string]Route{
		store.ChannelEmail: j.options.Delivery.Mail, store.ChannelSMS: j.options.Delivery.SMS,
	} {
		cards, bulk := make(chan struct{}), make(chan struct{})
		all.Go(func() { pace(ctx, route.PerSecond, cards, bulk) })
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
	}
	all.Wait()
}

// awaitOwnership waits until this database owns its messages. It returns false if ctx
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

// pace gives out permits at a rate. Cards that were issued at once come before those of
// tasks. The limiter's burst is one second's permits, so that a short delay of the process
// does not lower the throughput.
func pace(ctx context.Context, perSecond int, cards, bulk chan<- struct{}) {
	limiter := rate.NewLimiter(rate.Limit(perSecond), perSecond)
	for limiter.Wait(ctx) == nil {
		// select chooses at random among ready channels, so that cards are tried alone first.
		select {
		case cards <- struct{}{}:
			continue
		default:
		}
		select {
		case cards <- struct{}{}:
		case bulk <- struct{}{}:
		case <-ctx.Done():
		}
	}
}

// look gives due messages to the workers until ctx ends.
func (c *courier) look(ctx context.Context) {
	var last id.ID
	for {
		// Two messages per worker keep the workers busy until the next look.
		limit, pause := 2*c.workers, c.lookEvery
		due, err := store.Read(ctx, c.store, func(tx *store.Tx) ([]store.DueCount, error) { return tx.CountDue(ctx, c.lane, limit) })
		if err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "looking for due messages failed", "channel", c.lane.Channel, "error", err)
			pause = lookPause
		}
		turns := takeTurns(due, last, limit)
		for _, last = range turns {
			select {
			case c.due <- last:
			case <-ctx.Done():
				return
			}
		}
		if len(turns) == limit { // more may be due
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// takeTurns returns up to limit turns, each the program of a due message. Programs take
// turns one message at a time, so that a large task does not delay other programs. The
// first turn goes to the program after last.
func takeTurns(due []store.DueCount, last id.ID, limit int) (turns []id.ID) {
	next := slices.IndexFunc(due, func(d store.DueCount) bool { return bytes.Compare(d.Program[:], last[:]) > 0 })
	if next > 0 {
		due = slices.Concat(due[next:], due[:next])
	}
	// Round n gives a turn to each program that has more than n due messages.
	for round := int64(0); ; round++ {
		before := len(turns)
		for _, d := range due {
			if d.Count > round && len(turns) < limit {
				turns = append(turns, d.Program)
			}
		}
		if len(turns) == before {
			return turns
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
		if err == nil || ctx.Err() != nil || c.store.Now().Add(recordPause).After(due.NextAttemptAt) {
			return err
		}
		select {
		case <-time.After(recordPause):
		case <-ctx.Done():
		}
	}
}

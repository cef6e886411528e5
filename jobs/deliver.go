package jobs

import (
	"bytes"
	"context"
	"errors"
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

// Delivery says how recipients get their messages.
type Delivery struct {
	Templates *message.Templates
	Mail, SMS Route
	// LookEvery is how often due messages are looked for, 500 ms if zero.
	LookEvery time.Duration
}

// Route is one way to recipients.
type Route struct {
	Sender transport.Sender
	// PerSecond is how many messages go over it in a second, by this instance.
	PerSecond int
}

// SendTimeout bounds the handing over of one message. Servers may look into a
// mail for long before they say that they took it.
const SendTimeout = store.MessageLease - leftForRecord

const (
	leftForRecord = 30 * time.Second
	ownPause      = 2 * time.Second // between looks whether a copy may send by now
	recordTimeout = 5 * time.Second
	recordPause   = time.Second
	lookPause     = 2 * time.Second // when the database is away
	// Workers of a lane: enough that a few slow servers don't hold up the rest.
	cardWorkers, bulkWorkers = 8, 24
)

// courier delivers the messages of one lane.
type courier struct {
	*Jobs
	lane    store.Lane
	sender  transport.Sender
	workers int
	faults  *settingsFaults
	due     chan id.ID      // a message is due (of this program's tasks), one of the workers should take it
	permits <-chan struct{} // one may be sent now
}

// deliver sends messages until ctx ends, and waits for those being sent, which
// end with sending. A copy of the database sends none until an operator says so.
func (j *Jobs) deliver(ctx, sending context.Context) {
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
			c.Jobs, c.sender, c.faults, c.due = j, route.Sender, faults, make(chan id.ID)
			all.Go(func() { c.look(ctx) })
			for range c.workers {
				all.Go(func() { c.work(ctx, sending) })
			}
		}
	}
	all.Wait()
}

// awaitOwnership waits until messages are to be sent from this database, and reports
// false if ctx ends before.
func (j *Jobs) awaitOwnership(ctx context.Context) bool {
	for said := false; ; {
		owns, err := store.Write(ctx, j.store, func(tx *store.Tx) (bool, error) { return tx.OwnsMessages(ctx) })
		switch {
		case owns && said:
			j.options.Logger.InfoContext(ctx, "messages are sent again")
			return true
		case owns:
			return true
		case err != nil && ctx.Err() == nil:
			j.options.Logger.WarnContext(ctx, "looking whether messages may be sent failed", "error", err)
		case !said && err == nil:
			said = true
			j.options.Logger.WarnContext(ctx, "no message is sent, because this database is a copy of the one that messages were sent from: giftcards messages resume has them sent from here")
		}
		select {
		case <-time.After(ownPause):
		case <-ctx.Done():
			return false
		}
	}
}

// pace gives out permits at a rate, to cards issued at once before those of
// tasks. What a busy moment held up within the last second is caught up with.
func pace(ctx context.Context, perSecond int, cards, bulk chan<- struct{}) {
	limiter := rate.NewLimiter(rate.Limit(perSecond), perSecond)
	for limiter.Wait(ctx) == nil {
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

// look tells workers of due messages.
func (c *courier) look(ctx context.Context) {
	var last id.ID
	for {
		limit, pause := 2*c.workers, c.options.Delivery.LookEvery
		due, err := store.Read(ctx, c.store, func(tx *store.Tx) ([]store.DueCount, error) { return tx.CountDue(ctx, c.lane, limit) })
		if err != nil && ctx.Err() == nil {
			c.options.Logger.WarnContext(ctx, "looking for messages failed", "channel", c.lane.Channel, "error", err)
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
		if len(turns) == limit {
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// takeTurns deals out limit messages at most, one to each program in turn, and
// begins after the program that was last.
func takeTurns(due []store.DueCount, last id.ID, limit int) (turns []id.ID) {
	next := slices.IndexFunc(due, func(d store.DueCount) bool { return bytes.Compare(d.Program[:], last[:]) > 0 })
	if next > 0 {
		due = slices.Concat(due[next:], due[:next])
	}
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

func (c *courier) work(ctx, sending context.Context) {
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
		if err := c.deliverOne(sending, program); err != nil && sending.Err() == nil {
			c.options.Logger.WarnContext(ctx, "delivering failed", "channel", c.lane.Channel, "error", err)
		}
	}
}

// deliverOne sends the message that is due longest, of a lane of tasks the
// program's, if there is one. The claim is committed before anything is sent, so
// that a crash leaves a trace.
func (c *courier) deliverOne(ctx context.Context, program id.ID) error {
	due, err := store.Write(ctx, c.store, func(tx *store.Tx) (*store.Due, error) {
		return tx.ClaimMessage(ctx, c.lane, program)
	})
	if err != nil || due == nil {
		return err
	}
	code, err := c.store.OpenCode(due.Card.ID, due.Card.SealedCode)
	if err == nil {
		err = c.send(ctx, due, code)
	}
	return c.record(ctx, due, c.outcome(ctx, due, code, err))
}

// send makes the message and hands it over.
func (c *courier) send(ctx context.Context, due *store.Due, code string) error {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	zone, err := time.LoadLocation(due.TimeZone)
	if err != nil {
		return err
	}
	content, err := c.options.Delivery.Templates.Compose(message.Gift{
		Merchant: due.MerchantName, Sender: text(due.Card.SenderName), Recipient: text(due.Card.CustomerName), Note: text(due.Card.CustomMessage),
		Value: due.Card.InitialValue.String(), Number: store.FormatNumber(due.Card.CardNumber), Code: code,
		ExpiresAt: due.Card.ExpiresAt, Now: c.store.Now(), Zone: zone, Design: text(due.Card.DesignTemplate),
	})
	if err != nil {
		return err
	}
	m := transport.Message{
		ID: due.CardID.String(), Sequence: int(due.Sequence), To: due.Address, FromName: content.From, Date: c.store.Now(),
		Subject: content.Subject, Text: content.Text, HTML: content.HTML,
	}
	if due.Channel == store.ChannelSMS {
		m.Text = content.SMS
	}
	return c.sender.Send(ctx, m)
}

// outcome is how what came of sending is to be recorded.
func (c *courier) outcome(ctx context.Context, due *store.Due, code string, sent error) func(context.Context, *store.Tx) error {
	if _, toFile := c.sender.(*transport.Outbox); sent == nil && toFile {
		return func(ctx context.Context, tx *store.Tx) error { return tx.RecordWritten(ctx, due) }
	}
	if sent == nil {
		return func(ctx context.Context, tx *store.Tx) error { return tx.RecordSent(ctx, due) }
	}
	failed, told := errors.AsType[*transport.Error](sent)
	if !told {
		failed = &transport.Error{Stage: "compose", Err: sent}
	}
	if ctx.Err() != nil && !failed.Permanent && !failed.Unconfirmed {
		return func(ctx context.Context, tx *store.Tx) error { return tx.ReleaseMessage(ctx, due) }
	}
	c.logFailure(ctx, due, failed)
	number := store.FormatNumber(due.Card.CardNumber)
	reason := strings.NewReplacer(number, "[number]", message.Group(number), "[number]", code, "[code]").
		Replace(failed.Error()) // a server may repeat what it was sent
	if ctx.Err() != nil && failed.Unconfirmed {
		reason = "stopped while the server had yet to answer: " + reason
	}
	return func(ctx context.Context, tx *store.Tx) error {
		if failed.Permanent {
			return tx.RecordRefused(ctx, due, reason)
		}
		return tx.RecordDeferred(ctx, due, reason, failed.Unconfirmed)
	}
}

// logFailure tells of an attempt that failed, of a fault of the settings by its cause.
func (c *courier) logFailure(ctx context.Context, due *store.Due, failed *transport.Error) {
	if failed.Settings {
		if attempts := c.faults.tell(due.Channel, failed); attempts > 0 {
			c.options.Logger.WarnContext(ctx, "messages cannot be handed over", "channel", due.Channel,
				"stage", failed.Stage, "code", failed.Code, "attempts", attempts, "error", failed.Err)
		}
		return
	}
	// Neither the address nor the server's words, which may hold it.
	c.options.Logger.WarnContext(ctx, "message not delivered", "card_id", due.CardID, "channel", due.Channel, "attempt", due.Attempts,
		"stage", failed.Stage, "code", failed.Code, "permanent", failed.Permanent, "unconfirmed", failed.Unconfirmed)
}

// record writes down an outcome, again and again while the lease lasts: what is
// lost here is sent twice.
func (c *courier) record(ctx context.Context, due *store.Due, outcome func(context.Context, *store.Tx) error) error {
	for {
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		err := store.Do(attempt, c.store, func(tx *store.Tx) error { return outcome(attempt, tx) })
		cancel()
		if err == nil || ctx.Err() != nil || c.store.Now().Add(recordPause).After(due.NextAttemptAt) {
			return err
		}
		select {
		case <-time.After(recordPause):
		case <-ctx.Done():
		}
	}
}

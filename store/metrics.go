package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"giftcards/store/money"
)

// The counts, to which each transaction adds after its commit. A message is counted once for
// each attempt, by its outcome; deferred messages are tried again.
const (
	cardsAtOnce = iota
	cardsByTasks
	valueAtOnce // in valueUnits
	valueByTasks
	cardsWritten // by tasks, committed or not
	tasksCompleted
	tasksFailed
	tasksStopped
	mailsSent
	mailsWritten
	mailsDeferred
	mailsFailed
	mailsDropped
	textsSent
	textsWritten
	textsDeferred
	textsFailed
	textsDropped
	refusedByProgramLimit
	refusedByUserLimit
	numPlainCounts
)

// The counts of the ledger, each a block with a count for every one of entryTypes.
const (
	entriesPosted = numPlainCounts + iota*len(entryTypes)
	valueIn       // onto cards, in valueUnits
	valueOut      // off cards, in valueUnits
	endOfEntries
)

// The counts of receipts: for each of Receipts a block with a count for every one of
// attemptOutcomes.
const (
	receiptAttempts = endOfEntries
	numCounts       = receiptAttempts + numReceiptKinds*len(attemptOutcomes)
)

// attemptOutcomes are the states in which an attempt leaves a message, as metrics name them.
var attemptOutcomes = [...]struct{ status, name string }{
	{MessageSent, MessageSent}, {MessageWritten, MessageWritten}, {MessageScheduled, "deferred"}, {MessageFailed, MessageFailed}, {MessageDropped, MessageDropped},
}

// tally is what one transaction adds to the counts of this process.
type tally [numCounts]int64

// counts are what this process has counted. They are read when metrics are scraped, so
// counting costs almost nothing.
type counts [numCounts]atomic.Int64

func (c *counts) add(t *tally) {
	for kind, n := range t {
		if n != 0 {
			c[kind].Add(n)
		}
	}
}

// valueUnits is how many counted units make one unit of the currency. Further digits are
// rounded, because a metric is a float anyway.
const valueUnits = 10_000

// issued counts cards of a value each.
func (t *tally) issued(cardKind, valueKind, cards int, value money.Amount) {
	t[cardKind] += int64(cards)
	t[valueKind] += int64(math.Round(value.Float64() * valueUnits * float64(cards)))
}

// posted counts an entry of the ledger.
func (t *tally) posted(e *Entry) {
	kind := slices.Index(entryTypes[:], e.Type)
	t[entriesPosted+kind]++
	value := int64(math.Round(e.Amount.Float64() * valueUnits))
	if value > 0 {
		t[valueIn+kind] += value
	} else {
		t[valueOut+kind] -= value
	}
}

// issuedAtOnce counts committed cards of a value each.
func (c *counts) issuedAtOnce(cards int, value money.Amount) {
	var t tally
	t.issued(cardsAtOnce, valueAtOnce, cards, value)
	c.add(&t)
}

// message counts an attempt that left a message in a state.
func (t *tally) message(channel, status string) {
	kind := map[string]int{MessageSent: mailsSent, MessageWritten: mailsWritten, MessageScheduled: mailsDeferred, MessageFailed: mailsFailed, MessageDropped: mailsDropped}[status]
	// The counts of texts follow those of mails, in the same order.
	if channel == ChannelSMS {
		kind += textsSent - mailsSent
	}
	t[kind]++
}

// receipt counts an attempt that left a receipt in a state.
func (t *tally) receipt(kind, status string) {
	for outcome, o := range attemptOutcomes {
		if o.status == status {
			t[receiptAttempts+slices.Index(Receipts, kind)*len(attemptOutcomes)+outcome]++
		}
	}
}

// receiptLabels are the labels of the counts of receipts.
var receiptLabels = func() map[int]attribute.Set {
	all := map[int]attribute.Set{}
	for kind, k := range Receipts {
		for outcome, o := range attemptOutcomes {
			all[receiptAttempts+kind*len(attemptOutcomes)+outcome] = labels("kind", k, "outcome", o.name)
		}
	}
	return all
}()

// counters publish the counts.
var counters = []struct {
	name, about string
	labels      map[int]attribute.Set // by kind
}{
	{"giftcards_cards_issued_total", "Cards that were issued, by requests (at once) or by tasks.", map[int]attribute.Set{
		cardsAtOnce: labels("by", "request"), cardsByTasks: labels("by", "task"),
	}},
	{"giftcards_task_cards_written_total", "Cards that tasks wrote, in transactions that may not be committed yet: their progress.", map[int]attribute.Set{
		cardsWritten: labels(),
	}},
	{"giftcards_tasks_finished_total", "Tasks that came to their end, with all their cards or with none.", map[int]attribute.Set{
		tasksCompleted: labels("status", TaskCompleted), tasksFailed: labels("status", TaskFailed),
		tasksStopped: labels("status", "stopped"),
	}},
	{"giftcards_limit_refusals_total", "Requests that were refused because they would go over a daily limit.", map[int]attribute.Set{
		refusedByProgramLimit: labels("limit", "program"), refusedByUserLimit: labels("limit", "user"),
	}},
	{"giftcards_message_attempts_total", "Attempts to send a message, by what they ended with.", map[int]attribute.Set{
		mailsSent: labels("channel", ChannelEmail, "outcome", MessageSent), mailsDeferred: labels("channel", ChannelEmail, "outcome", "deferred"),
		mailsFailed: labels("channel", ChannelEmail, "outcome", MessageFailed), mailsDropped: labels("channel", ChannelEmail, "outcome", MessageDropped),
		mailsWritten: labels("channel", ChannelEmail, "outcome", MessageWritten), textsWritten: labels("channel", ChannelSMS, "outcome", MessageWritten),
		textsSent: labels("channel", ChannelSMS, "outcome", MessageSent), textsDeferred: labels("channel", ChannelSMS, "outcome", "deferred"),
		textsFailed: labels("channel", ChannelSMS, "outcome", MessageFailed), textsDropped: labels("channel", ChannelSMS, "outcome", MessageDropped),
	}},
	{"giftcards_receipt_attempts_total", "Attempts to send a receipt, by what they ended with.", receiptLabels},
}

func labels(namesAndValues ...string) attribute.Set {
	var all []attribute.KeyValue
	for pair := range slices.Chunk(namesAndValues, 2) {
		all = append(all, attribute.String(pair[0], pair[1]))
	}
	return attribute.NewSet(all...)
}

// registerMetrics registers the instruments for the counts, the ledger, the pool and the
// backlog.
func (s *Store) registerMetrics(meter metric.Meter) error {
	return errors.Join(s.measureCounts(meter), s.measureValue(meter), s.measureLedger(meter), s.measureBalances(meter),
		s.measurePool(meter), s.measureBacklog(meter))
}

func (s *Store) measureCounts(meter metric.Meter) error {
	for _, c := range counters {
		_, err := meter.Int64ObservableCounter(c.name, metric.WithDescription(c.about), metric.WithInt64Callback(
			func(_ context.Context, o metric.Int64Observer) error {
				for kind, labels := range c.labels {
					o.Observe(s.counts[kind].Load(), metric.WithAttributeSet(labels))
				}
				return nil
			}))
		if err != nil {
			return fmt.Errorf("measure: %w", err)
		}
	}
	return nil
}

// measureValue publishes an amount of money as a float, which it is nowhere else, because
// the counters of a meter can count no exact decimals.
func (s *Store) measureValue(meter metric.Meter) error {
	atOnce, byTasks := metric.WithAttributeSet(labels("by", "request")), metric.WithAttributeSet(labels("by", "task"))
	_, err := meter.Float64ObservableCounter("giftcards_issued_value_total",
		metric.WithDescription("Initial values, summed up, of cards that were issued, by requests (at once) or by tasks. A float, for graphs and alerts only."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(s.counts[valueAtOnce].Load())/valueUnits, atOnce)
			o.Observe(float64(s.counts[valueByTasks].Load())/valueUnits, byTasks)
			return nil
		}))
	return wrap(err, "measure")
}

func (s *Store) measurePool(meter metric.Meter) error {
	connections, connectionsErr := meter.Int64ObservableGauge("giftcards_pool_connections",
		metric.WithDescription("Connections to the database, in use or idle."))
	limit, limitErr := meter.Int64ObservableGauge("giftcards_pool_connections_max",
		metric.WithDescription("Connections that this instance may have."))
	waits, waitsErr := meter.Int64ObservableCounter("giftcards_pool_waits_total",
		metric.WithDescription("How often a caller had to wait for a connection."))
	waited, waitedErr := meter.Float64ObservableCounter("giftcards_pool_wait_seconds_total",
		metric.WithDescription("Total time that callers have waited for a connection."))
	if err := errors.Join(connectionsErr, limitErr, waitsErr, waitedErr); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	inUse, idle := metric.WithAttributeSet(labels("state", "in_use")), metric.WithAttributeSet(labels("state", "idle"))
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stat := s.pool.Stat()
		o.ObserveInt64(connections, int64(stat.AcquiredConns()), inUse)
		o.ObserveInt64(connections, int64(stat.IdleConns()), idle)
		o.ObserveInt64(limit, int64(stat.MaxConns()))
		// This also counts a caller who waited for a new connection, although the limit was not reached.
		o.ObserveInt64(waits, stat.EmptyAcquireCount())
		o.ObserveFloat64(waited, stat.EmptyAcquireWaitTime().Seconds())
		return nil
	}, connections, limit, waits, waited)
	return err
}

// cached is the result of the last read of something that costs the database time, for scrapes.
type cached[T any] struct {
	mutex sync.Mutex
	taken time.Time
	value T
	err   error
}

// read returns the cached result, or reads again if it is older than every. An error is cached
// for as long, so that scrapes do not add to the load of a database in trouble.
func (c *cached[T]) read(ctx context.Context, every, timeout time.Duration, fresh func(context.Context) (T, error)) (T, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.taken.IsZero() && time.Since(c.taken) < every {
		return c.value, c.err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c.value, c.err = fresh(ctx)
	c.taken = time.Now()
	return c.value, c.err
}

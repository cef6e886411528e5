// Package jobs does what does not fit into a request: it issues the cards of
// large bulk requests, delivers messages to recipients and clears away what has
// expired. River keeps the queue of tasks, in the same database, so that a job
// is enqueued in the transaction of the rows it is about; messages are a queue
// themselves. It knows nothing of HTTP requests.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"giftcards/store"
)

// Options are the settings of the jobs.
type Options struct {
	// Logger gets what fails, and how tasks go on.
	Logger *slog.Logger
	// Lifetimes are how long things are kept, at least.
	Lifetimes store.Lifetimes
	// SmallWorkers and LargeWorkers are how many tasks of either size this instance
	// runs at a time, DefaultSmallWorkers and DefaultLargeWorkers if zero.
	SmallWorkers, LargeWorkers int
	// MerchantTasks is how many large tasks of one merchant all instances together
	// run at a time, DefaultMerchantTasks if zero. More than LargeWorkers is as good
	// as no bound.
	MerchantTasks int
	// PollOnly has new tasks looked for once a second instead of listened for: a
	// transaction pooler does not pass on notifications.
	PollOnly bool
	// TaskTimeout ends an attempt at a task that hangs, 15 minutes if zero: a million
	// cards take under one.
	TaskTimeout time.Duration
	// SweepEvery is how often abandoned tasks are looked for, 2 s if zero.
	SweepEvery time.Duration
	// Delivery sends messages to recipients; nil leaves them to other instances.
	Delivery *Delivery
	// Meter publishes how jobs went; nil turns it off.
	Meter metric.Meter
	// Tracer follows jobs; nil turns it off.
	Tracer trace.Tracer
}

// What Options have if they don't say.
const (
	DefaultSmallWorkers  = 2
	DefaultLargeWorkers  = 2
	DefaultMerchantTasks = 1
)

// Jobs runs the jobs of one process.
type Jobs struct {
	store   *store.Store
	options Options
	client  *river.Client[pgx.Tx]

	stopOwn       context.CancelFunc // takes up nothing more
	cancelSending context.CancelFunc
	own           sync.WaitGroup // what is not River's
	mutex         sync.Mutex
	running       bool
}

const (
	// taskTimeout is TaskTimeout unless it is set.
	taskTimeout = 15 * time.Minute
	// rescueAfter must exceed taskTimeout. The sweep finds dead workers much earlier.
	rescueAfter = 20 * time.Minute
	// fetchCooldown is what a worker at least waits for its next job; River's own
	// 100 ms are longer than a small task, or a look at one that has to wait.
	fetchCooldown = 10 * time.Millisecond
)

// New prepares the jobs of this process; Start starts them.
func New(s *store.Store, o Options) (*Jobs, error) {
	o.SmallWorkers, o.LargeWorkers = cmp.Or(o.SmallWorkers, DefaultSmallWorkers), cmp.Or(o.LargeWorkers, DefaultLargeWorkers)
	o.MerchantTasks = cmp.Or(o.MerchantTasks, DefaultMerchantTasks)
	o.TaskTimeout = cmp.Or(o.TaskTimeout, taskTimeout)
	o.SweepEvery = cmp.Or(o.SweepEvery, 2*time.Second)
	if o.Delivery != nil && o.Delivery.LookEvery == 0 {
		o.Delivery.LookEvery = 500 * time.Millisecond
	}
	j := &Jobs{store: s, options: o}
	instrumentation, err := newInstrumentation(o.Meter, o.Tracer)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &bulkIssueWorker{store: s, logger: o.Logger, merchantTasks: o.MerchantTasks})
	client, err := river.NewClient(riverpgxv5.New(s.Pool()), &river.Config{
		Logger: slog.New(atLeast{o.Logger.Handler(), slog.LevelError}),
		Queues: map[string]river.QueueConfig{
			store.QueueSmall: {MaxWorkers: o.SmallWorkers, FetchCooldown: fetchCooldown},
			store.QueueLarge: {MaxWorkers: o.LargeWorkers, FetchCooldown: fetchCooldown, FetchPollInterval: shortestWait},
		},
		Workers:              workers,
		Middleware:           []rivertype.Middleware{instrumentation},
		ErrorHandler:         errorHandler{o.Logger},
		JobTimeout:           o.TaskTimeout,
		RescueStuckJobsAfter: rescueAfter,
		PollOnly:             o.PollOnly,
		ReindexerIndexNames:  []string{}, // only the owner of its tables may, and the autovacuum keeps up with a job a task
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	j.client = client
	return j, nil
}

// Start begins to work. Jobs outlive ctx: they end with Stop.
func (j *Jobs) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := j.client.Start(ctx); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	sending, cancel := context.WithCancel(ctx)
	own, stop := context.WithCancel(sending)
	j.stopOwn, j.cancelSending = stop, cancel
	j.own.Go(func() { j.sweep(own) })
	j.own.Go(func() { j.reseal(own) })
	j.own.Go(func() { j.countSeals(own) })
	if j.options.Delivery != nil {
		j.own.Go(func() { j.deliver(own, sending) })
	}
	j.setRunning(true)
	return nil
}

// Stop takes no new jobs and waits for those under way until ctx ends; what is
// left then is cancelled, rolled back, and taken up again by whoever runs next.
func (j *Jobs) Stop(ctx context.Context) error {
	j.setRunning(false)
	j.stopOwn()
	release := context.AfterFunc(ctx, j.cancelSending)
	defer release()
	err := j.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		err = j.client.StopAndCancel(ctx)
	}
	j.own.Wait() // soon: all of it ends with ctx
	j.cancelSending()
	if err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}

// cancelTimeout is what cancelled jobs get to roll back.
const cancelTimeout = 5 * time.Second

// River is the client of the queue, for its own web interface.
func (j *Jobs) River() *river.Client[pgx.Tx] { return j.client }

// Running reports whether jobs are being worked on.
func (j *Jobs) Running() bool {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.running
}

func (j *Jobs) setRunning(running bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.running = running
}

// atLeast passes on what is at least of a level: River tells much that only its
// authors want to know.
type atLeast struct {
	slog.Handler
	level slog.Level
}

func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}

// Package jobs does the work that takes longer than a request: it issues the cards of
// large bulk requests, delivers messages to recipients, and deletes expired rows.
//
// River keeps the queue of tasks in the same database, so that a job is enqueued in the
// same transaction as its task. Messages need no River queue, because the table of
// messages is one. The package knows nothing of HTTP requests.
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
	// Logger gets failures, and the progress of tasks.
	Logger *slog.Logger
	// Lifetimes are the times that rows are kept at least.
	Lifetimes store.Lifetimes
	// SmallWorkers and LargeWorkers bound the tasks of either size that this instance runs
	// at a time, DefaultSmallWorkers and DefaultLargeWorkers if zero.
	SmallWorkers, LargeWorkers int
	// MerchantTasks bounds the large tasks of one merchant that all instances together run
	// at a time, DefaultMerchantTasks if zero. A bound above LargeWorkers has no effect on
	// a single instance.
	MerchantTasks int
	// PollOnly polls for new tasks once a second instead of listening for notifications,
	// because a transaction pooler does not pass them on.
	PollOnly bool
	// TaskTimeout ends a hanging attempt at a task, 15 minutes if zero. A million cards
	// take less than a minute.
	TaskTimeout time.Duration
	// SweepEvery is the pause between looks for abandoned tasks, 2 s if zero.
	SweepEvery time.Duration
	// AskEvery is the pause between looks for programs that ask for receipts, 20 s if zero.
	AskEvery time.Duration
	// RemindEvery is the pause between looks for cards that expire soon, an hour if zero.
	RemindEvery time.Duration
	// Delivery sends messages to recipients; nil leaves them to other instances.
	Delivery *Delivery
	// Meter gets the metrics of jobs; nil turns them off.
	Meter metric.Meter
	// Tracer gets the spans of jobs; nil turns them off.
	Tracer trace.Tracer
}

// Defaults of Options.
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

	stopLoops  context.CancelFunc // lets loops finish their current work
	cancelSend context.CancelFunc // also interrupts messages that are being sent
	loops      sync.WaitGroup     // every, reseal, countSeals, receipts and deliver; River has its own
	mutex      sync.Mutex
	running    bool
}

const (
	// taskTimeout is the default of TaskTimeout.
	taskTimeout = 15 * time.Minute
	// rescueAfter must exceed taskTimeout. The sweep finds dead workers much earlier.
	rescueAfter = 20 * time.Minute
	// fetchCooldown is the shortest pause between a worker's jobs. River's default of
	// 100 ms is longer than a small task takes.
	fetchCooldown = 10 * time.Millisecond
)

// New prepares the jobs of this process; Start starts them.
func New(s *store.Store, o Options) (*Jobs, error) {
	o.SmallWorkers, o.LargeWorkers = cmp.Or(o.SmallWorkers, DefaultSmallWorkers), cmp.Or(o.LargeWorkers, DefaultLargeWorkers)
	o.MerchantTasks = cmp.Or(o.MerchantTasks, DefaultMerchantTasks)
	o.TaskTimeout = cmp.Or(o.TaskTimeout, taskTimeout)
	o.SweepEvery = cmp.Or(o.SweepEvery, 2*time.Second)
	o.AskEvery, o.RemindEvery = cmp.Or(o.AskEvery, askEvery), cmp.Or(o.RemindEvery, remindEvery)
	if o.Delivery != nil && o.Delivery.LookEvery == 0 {
		o.Delivery.LookEvery = 500 * time.Millisecond
	}
	j := &Jobs{store: s, options: o}
	instrumentation, err := newInstrumentation(o.Meter, o.Tracer)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	// River finds the worker by the job's kind.
	workers := river.NewWorkers()
	river.AddWorker(workers, &bulkIssueWorker{store: s, logger: o.Logger, merchantTasks: o.MerchantTasks})
	client, err := river.NewClient(riverpgxv5.New(s.Pool()), &river.Config{
		// Below errors, River logs a lot that does not help an operator. errorHandler logs
		// failed jobs.
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
		// Only the owner of River's tables may reindex. The autovacuum is enough for one
		// job per task.
		ReindexerIndexNames: []string{},
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	j.client = client
	return j, nil
}

// Start starts the workers. They do not end with ctx but with Stop.
func (j *Jobs) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := j.client.Start(ctx); err != nil {
		return fmt.Errorf("start jobs: %w", err)
	}
	// A stop ends loopCtx first, so that no new message is claimed while sendCtx still lets
	// the current ones finish.
	sendCtx, cancelSend := context.WithCancel(ctx)
	loopCtx, stopLoops := context.WithCancel(sendCtx)
	j.stopLoops, j.cancelSend = stopLoops, cancelSend
	j.loops.Go(func() {
		j.every(loopCtx, j.options.SweepEvery, work{"looking for abandoned tasks", j.enqueueAbandoned})
	})
	j.loops.Go(func() { j.every(loopCtx, watchEvery, work{"reading the progress of tasks", j.watchProgress}) })
	j.loops.Go(func() { j.every(loopCtx, indexEvery, work{"making cards searchable", j.makeSearchable}) })
	j.loops.Go(func() {
		j.every(loopCtx, cleanEvery, work{"deleting expired rows", j.deleteExpired}, work{"recounting cards", j.recountCards},
			work{"erasing recipients of ended cards", j.eraseEnded})
	})
	j.loops.Go(func() { j.reseal(loopCtx) })
	j.loops.Go(func() { j.countSeals(loopCtx) })
	j.loops.Go(func() { j.followReceipts(loopCtx) })
	j.loops.Go(func() { j.remind(loopCtx) })
	if j.options.Delivery != nil {
		j.loops.Go(func() { j.deliver(loopCtx, sendCtx) })
	}
	j.setRunning(true)
	return nil
}

// Stop takes no new jobs and waits for the running ones until ctx ends. It then cancels
// those that are left. Their transactions roll back, and another instance, or this one
// after a restart, runs them again.
func (j *Jobs) Stop(ctx context.Context) error {
	j.setRunning(false)
	j.stopLoops()
	release := context.AfterFunc(ctx, j.cancelSend)
	defer release()
	// River's jobs and our loops stop at the same time.
	err := j.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		err = j.client.StopAndCancel(ctx)
	}
	j.loops.Wait() // all loops end soon after ctx
	j.cancelSend()
	if err != nil {
		return fmt.Errorf("stop jobs: %w", err)
	}
	return nil
}

// cancelTimeout is the time that cancelled jobs get to roll back.
const cancelTimeout = 5 * time.Second

// River returns the queue's client, for River's web interface.
func (j *Jobs) River() *river.Client[pgx.Tx] { return j.client }

// Running reports whether Start has succeeded and Stop was not called.
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

// atLeast is a log handler that drops records below a level.
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

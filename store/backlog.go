package store

import (
	"context"
	"fmt"
	"time"

	"giftcards/gen/db"
)

// Backlog is the unfinished work of all instances together. Each count stops at 100,000.
type Backlog struct {
	Jobs           []Waiting         // River's, by queue and state; both queues always have an entry for available jobs
	Tasks          []Waiting         // by state; TaskPending and TaskProcessing always have an entry
	Messages       []Waiting         // due ones, by lane; every lane always has an entry
	FailedMessages int64             // they wait for an operator
	Receipts       []WaitingReceipts // every kind always has an entry
	CodeKeySeals   int64             // codes that the newest key has sealed, uncapped; see CodeKeyLimit
	// WrittenMessages were written to files, and reached nobody.
	WrittenMessages int64
}

// Waiting is how much of one kind of work waits, and for how long the oldest has been due;
// 0 if nothing waits.
type Waiting struct {
	Queue string // of jobs
	State string // of jobs and tasks
	Lane  Lane   // of messages
	Count int64
	Age   time.Duration
}

// WaitingReceipts is how many receipts of a kind are due, and how many were given up.
type WaitingReceipts struct {
	Kind        string
	Due, Failed int64
}

// Lanes are all lanes of messages.
var Lanes = []Lane{{ChannelEmail, false}, {ChannelEmail, true}, {ChannelSMS, false}, {ChannelSMS, true}}

// jobAvailable is River's state of a job that a worker could take now.
const jobAvailable = string(db.RiverJobStateAvailable)

// backlogLimit bounds the cost of a count.
const backlogLimit = 100_000

// Backlog counts the unfinished work. It only reads indexes.
func (tx *Tx) Backlog(ctx context.Context) (Backlog, error) {
	var b Backlog
	age := func(since time.Time) time.Duration { return max(0, tx.now.Sub(since)) }
	jobs, err := tx.q.CountJobs(ctx, backlogLimit)
	if err != nil {
		return Backlog{}, wrap(err, "count jobs")
	}
	// A queue without available jobs has no row. It gets an entry of 0, because a metric that
	// disappears looks like a server that is down.
	empty := map[string]bool{QueueSmall: true, QueueLarge: true}
	for _, j := range jobs {
		b.Jobs = append(b.Jobs, Waiting{Queue: j.Queue, State: string(j.State), Count: j.Jobs, Age: age(j.Oldest)})
		if j.State == db.RiverJobStateAvailable {
			delete(empty, j.Queue)
		}
	}
	for queue := range empty {
		b.Jobs = append(b.Jobs, Waiting{Queue: queue, State: jobAvailable})
	}
	tasks, err := tx.q.CountUnfinishedTasks(ctx, backlogLimit)
	if err != nil {
		return Backlog{}, wrap(err, "count tasks")
	}
	// States without tasks get an entry of 0, too.
	for _, state := range []string{TaskPending, TaskProcessing} {
		waiting := Waiting{State: state}
		for _, t := range tasks {
			if t.Status == state {
				waiting.Count, waiting.Age = t.Tasks, age(t.Oldest)
			}
		}
		b.Tasks = append(b.Tasks, waiting)
	}
	for _, lane := range Lanes {
		// A lane of tasks has a count for each program: the sum is capped like the others.
		due, err := tx.CountDue(ctx, lane, backlogLimit)
		if err != nil {
			return Backlog{}, err
		}
		waiting := Waiting{Lane: lane}
		for _, d := range due {
			waiting.Count, waiting.Age = min(waiting.Count+d.Count, backlogLimit), max(waiting.Age, age(d.Oldest))
		}
		b.Messages = append(b.Messages, waiting)
	}
	if b.FailedMessages, err = tx.q.CountFailedMessages(ctx, backlogLimit); err != nil {
		return Backlog{}, wrap(err, "count failed messages")
	}
	if b.Receipts, err = tx.waitingReceipts(ctx); err != nil {
		return Backlog{}, err
	}
	if tx.store.keys != nil { // an operator's command opens the store without keys
		if b.CodeKeySeals, err = tx.q.FindKeyUses(ctx, int64(tx.store.keys.CodeKey())); err != nil {
			return Backlog{}, wrap(err, "find key uses")
		}
	}
	b.WrittenMessages, err = tx.q.CountWrittenMessages(ctx, backlogLimit)
	return b, wrap(err, "count written messages")
}

// waitingReceipts counts the receipts that are due, and those that were given up.
func (tx *Tx) waitingReceipts(ctx context.Context) ([]WaitingReceipts, error) {
	due, err := tx.q.CountDueReceiptsByKind(ctx, tx.now, backlogLimit)
	if err != nil {
		return nil, fmt.Errorf("count due receipts: %w", err)
	}
	failed, err := tx.q.CountFailedReceipts(ctx, backlogLimit)
	if err != nil {
		return nil, fmt.Errorf("count failed receipts: %w", err)
	}
	waiting := make([]WaitingReceipts, len(Receipts))
	// A kind without rows gets 0, because a metric that disappears looks like a server that is down.
	for i, kind := range Receipts {
		waiting[i].Kind = kind
		for _, row := range due {
			if row.Kind == kind {
				waiting[i].Due = row.Receipts
			}
		}
		for _, row := range failed {
			if row.Kind == kind {
				waiting[i].Failed = row.Receipts
			}
		}
	}
	return waiting, nil
}

package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/text"
)

// Task is a row of bulk_tasks: cards that a job issues.
type Task struct{ db.BulkTask }

// The states of a task, in the words of the contract.
const (
	TaskPending    = "pending"
	TaskProcessing = "processing"
	TaskCompleted  = "completed"
	TaskFailed     = "failed"
)

// SmallTask is the most cards of a small task. So few are issued in less than a tenth of a
// second, and it does not matter if a task waits for some others.
const SmallTask = 2_000

// The queues of small and of large tasks. Each has workers of its own, so that no small
// task waits for a large one. The names are stored: a renamed queue loses its jobs.
const (
	QueueSmall = "bulk_small"
	QueueLarge = "bulk_large"
)

// Finished reports whether the task has completed or failed, and will not change any more.
func (t Task) Finished() bool { return t.Status == TaskCompleted || t.Status == TaskFailed }

// CardRange returns the cards of a completed task.
func (t Task) CardRange() CardRange {
	return CardRange{ProgramID: t.ProgramID, First: t.FirstCardID, Count: int(t.CardCount)}
}

// AddTask adds a task to issue count cards on these terms. If there are recipients, count is
// their number; otherwise the merchant hands the cards out. The cards count towards the
// daily limits from now on: AddTask fails with a Forbidden error that names a limit if they
// would go over it.
//
// The task belongs to the user of the access, and will fail if the user may not issue any
// more when its cards are written. With the zero Access it belongs to nobody.
func (tx *Tx) AddTask(ctx context.Context, access Access, terms Terms, count int, recipients []Recipient) (Task, error) {
	if count < 1 || count > id.MaxBlock {
		return Task{}, fmt.Errorf("task of %d cards: want 1 to %d", count, id.MaxBlock)
	}
	// Now and not when the cards are written, so that waiting tasks cannot go over a limit
	// together.
	countedIn, err := tx.countIssued(ctx, terms, count)
	if err != nil {
		return Task{}, err
	}
	task := db.InsertTaskParams{
		ProgramID:      terms.ProgramID,
		ID:             uuid.New(),
		CardCount:      int32(count),
		ByCount:        len(recipients) == 0,
		InitialValue:   terms.InitialValue,
		IsPhysical:     terms.IsPhysical,
		DesignTemplate: (*string)(terms.DesignTemplate),
		ExpiresAt:      terms.expiry(tx.now),
		FirstCardID:    id.NewBlock(tx.now, count),
		CreatedAt:      tx.clock,
		CountedIn:      countedIn,

		UserID: access.User.ID, TokensValidAfter: access.User.TokensValidAfter,
	}
	row, err := tx.q.InsertTask(ctx, task)
	if err != nil {
		return Task{}, fmt.Errorf("insert task: %w", err)
	}
	return Task{row}, tx.insertRecipients(ctx, Task{row}, recipients)
}

// SetTaskJob stores which job issues the task's cards.
func (tx *Tx) SetTaskJob(ctx context.Context, task Task, job int64) error {
	return wrap(tx.q.SetTaskJob(ctx, &job, task.ProgramID, task.ID), "set job of task")
}

// Never is the time for which the job of a task is scheduled that sticks in a sandbox.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// LockStuckTask locks and returns a task whose job is scheduled for Never. It fails with
// ErrTaskNotFound, or with ErrTaskNotStuck.
func (tx *Tx) LockStuckTask(ctx context.Context, task uuid.UUID) (Task, error) {
	row, err := tx.q.LockTaskOfAnyProgram(ctx, task)
	if errors.Is(err, pgx.ErrNoRows) {
		return Task{}, ErrTaskNotFound
	}
	if err != nil {
		return Task{}, fmt.Errorf("lock task: %w", err)
	}
	if row.JobID == nil {
		return Task{}, ErrTaskNotStuck
	}
	// A statement of its own, so that it sees what another release did before it gave the lock
	// back.
	stuck, err := tx.q.IsJobScheduled(ctx, *row.JobID, Never)
	if err == nil && !stuck {
		err = ErrTaskNotStuck
	}
	return Task{row}, wrap(err, "look for job of task")
}

// FindTask returns the task in the program of the access. It fails with ErrTaskNotFound, or
// with ErrAccessChanged if token or user have changed.
func (s *Store) FindTask(ctx context.Context, access Access, task uuid.UUID) (Task, error) {
	row, err := s.tasks.Do(ctx, taskQuestion(access, task))
	switch {
	case err != nil:
		return Task{}, classify(fmt.Errorf("find task: %w", err))
	case row == nil:
		return Task{}, ErrTaskNotFound
	case !row.AccessUnchanged:
		return Task{}, ErrAccessChanged
	}
	return Task{row.BulkTask}, nil
}

// taskQuestion asks for a task, and whether the access is unchanged.
func taskQuestion(access Access, task uuid.UUID) db.FindTaskParams {
	return db.FindTaskParams{
		ProgramID: access.Program.ID, ID: task,
		TokenID: access.TokenID, UserID: access.User.ID, MerchantID: access.User.MerchantID,
		Role: access.User.Role, TokensValidAfter: access.User.TokensValidAfter,
	}
}

// findTasks asks once for all callers who ask the same, such as the workers of a client that
// wait for one task.
func (s *Store) findTasks(ctx context.Context, of []db.FindTaskParams) ([]*db.FindTaskRow, error) {
	questions, answers := make([]db.FindTaskParams, 0, len(of)), make(map[db.FindTaskParams]int, len(of))
	for _, asked := range of {
		// The times are pointers, so that equal ones that were read twice count as different.
		if _, again := answers[asked]; !again {
			answers[asked] = len(questions)
			questions = append(questions, asked)
		}
	}
	rows, err := findEach(len(questions), s.q.FindTask(ctx, questions).QueryRow)
	return each(of, func(asked db.FindTaskParams) *db.FindTaskRow { return rows[answers[asked]] }), err
}

// ErrNoSlot means that the merchant already runs its maximum of large tasks.
var ErrNoSlot = errors.New("the merchant's slots are all taken")

// TakeSlot reserves one of the merchant's slots for large tasks until the transaction ends. A
// merchant has that many slots over all instances. It fails with ErrNoSlot if no slot is
// free, or if older tasks come first, and with ErrTaskNotFound if a sandbox has deleted the
// merchant.
func (tx *Tx) TakeSlot(ctx context.Context, program id.ID, task uuid.UUID, slots int) error {
	// Without this, a task that tries at the right moment would overtake older ones for ever.
	older, err := tx.q.CountOlderTasks(ctx, program, task, QueueLarge)
	if err != nil {
		return fmt.Errorf("count older tasks: %w", err)
	}
	if older >= int64(slots) {
		return ErrNoSlot
	}
	_, err = tx.q.TakeSlot(ctx, int32(slots), program)
	if errors.Is(err, pgx.ErrNoRows) {
		// Without a merchant there is no slot to wait for either.
		if _, err := tx.FindProgram(ctx, program); !errors.Is(err, ErrProgramNotFound) {
			return cmp.Or(err, ErrNoSlot)
		}
		return ErrTaskNotFound
	}
	if err != nil {
		return fmt.Errorf("take slot: %w", err)
	}
	return nil
}

// Started is a task that an attempt has begun to issue.
type Started struct {
	Attempts int // how many have begun, including this one; 0 if the task is finished
	Cards    int // how many the task issues
}

// StartTask sets an unfinished task to processing, and counts the attempt.
func (tx *Tx) StartTask(ctx context.Context, program id.ID, task uuid.UUID) (Started, error) {
	started, err := tx.q.StartTask(ctx, program, task)
	if errors.Is(err, pgx.ErrNoRows) {
		return Started{}, nil
	}
	return Started{Attempts: int(started.Attempts), Cards: int(started.CardCount)}, wrap(err, "start task")
}

// GiveBackAttempt subtracts an attempt that was no attempt, or that an orderly stop ended.
func (tx *Tx) GiveBackAttempt(ctx context.Context, program id.ID, task uuid.UUID) error {
	return wrap(tx.q.GiveBackAttempt(ctx, program, task), "give back attempt")
}

// IssueTask issues all cards of the task and completes it. If the task is finished, it does
// nothing, because a job may run twice, even at the same time. After each chunk it calls
// written with the number of cards so far, which are not committed yet. It holds at most two
// chunks of cards in memory. It fails with a *TaskStoppedError if the task's user may not
// issue any more, or if an operator has cancelled the task, and with ErrTaskNotFound if a
// sandbox has deleted it with its world.
func (tx *Tx) IssueTask(ctx context.Context, program id.ID, taskID uuid.UUID, written func(cards int)) error {
	// The lock on the row is the worker's lease: PostgreSQL releases it when the worker's
	// connection dies. A second worker waits here, and then finds the task finished.
	row, err := tx.q.LockTask(ctx, program, taskID)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrTaskNotFound
	}
	if err != nil {
		return fmt.Errorf("lock task: %w", err)
	}
	task := Task{row}
	if task.Finished() {
		return nil
	}
	terms := Terms{
		ProgramID: program, InitialValue: task.InitialValue, IsPhysical: task.IsPhysical,
		DesignTemplate: (*text.Clean)(task.DesignTemplate), ExpiresAt: &task.ExpiresAt,
	}
	if err := tx.writeChunks(ctx, task, terms, written); err != nil {
		return err
	}
	// Recipients are personal data, and are of no further use here: the cards have them.
	if err := tx.q.DeleteRecipients(ctx, program, taskID); err != nil {
		return fmt.Errorf("delete recipients: %w", err)
	}
	completed, err := tx.q.CompleteTask(ctx, tx.now, program, taskID)
	if err != nil {
		return fmt.Errorf("complete task: %w", err)
	}
	tx.tally[tasksCompleted] += completed
	tx.tally.issued(cardsByTasks, valueByTasks, int(task.CardCount), task.InitialValue)
	err = tx.Audit(ctx, AuditEntry{
		Operation: "issueTask", ProgramID: program, Subject: taskID[:], Cards: task.CardCount, Client: "worker",
	})
	if err != nil {
		return err
	}
	// The lock on the user comes last, so that it is held as briefly as possible. The check
	// after it sees an earlier change of the user, and a later change waits for the commit.
	// A change of a user locks no task, so the two cannot deadlock.
	if err := tx.q.ShareUser(ctx, task.UserID[:]); err != nil {
		return fmt.Errorf("share user of task: %w", err)
	}
	return tx.checkTask(ctx, task)
}

// AbandonedTask is an unfinished task that no worker works on.
type AbandonedTask struct {
	Task
	// NotBefore is when its job may begin, as the job that was abandoned says.
	NotBefore time.Time
}

// AbandonedTasks locks and returns at most limit unfinished tasks that no worker works on,
// because their worker died or gave up.
func (tx *Tx) AbandonedTasks(ctx context.Context, limit int) ([]AbandonedTask, error) {
	rows, err := tx.q.LockAbandonedTasks(ctx, startGrace, int32(limit))
	return each(rows, func(r db.LockAbandonedTasksRow) AbandonedTask { return AbandonedTask{Task{r.BulkTask}, r.NotBefore} }), wrap(err, "lock abandoned tasks")
}

// startGrace is how long a worker may take from taking its job to locking the task. If it
// takes longer, a second worker is started, and one of the two finds the task finished.
const startGrace = 3 * time.Second

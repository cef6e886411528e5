package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Task is a row of bulk_tasks: cards to be issued, or issued, by a job.
type Task struct{ db.BulkTask }

// The states of a task, in the words of the contract.
const (
	TaskPending    = "pending"
	TaskProcessing = "processing"
	TaskCompleted  = "completed"
	TaskFailed     = "failed"
)

// Finished reports whether nothing of the task will change any more.
func (t Task) Finished() bool { return t.Status == TaskCompleted || t.Status == TaskFailed }

// Batch is the cards of a completed task.
func (t Task) Batch() Batch {
	return Batch{ProgramID: t.ProgramID, First: t.FirstCardID, Count: int(t.CardCount)}
}

// AddTask writes down that count cards are to be issued on these terms: for
// recipients if there are any (then count is their number), else for the
// merchant to hand out. Nothing is issued yet.
func (tx *Tx) AddTask(ctx context.Context, terms Terms, count int, recipients []Recipient) (Task, error) {
	terms, recipients = sanitised(terms, recipients)
	task := db.InsertTaskParams{
		ProgramID:      terms.ProgramID,
		ID:             uuid.New(),
		CardCount:      int32(count),
		ByCount:        len(recipients) == 0,
		InitialValue:   terms.InitialValue,
		IsPhysical:     terms.IsPhysical,
		DesignTemplate: terms.DesignTemplate,
		ExpiresAt:      terms.expiry(tx.now),
		FirstCardID:    id.NewBlock(tx.now),
		CreatedAt:      tx.now,
	}
	if count > id.MaxBlock {
		return Task{}, fmt.Errorf("task of %d cards: at most %d", count, id.MaxBlock)
	}
	row, err := tx.q.InsertTask(ctx, task)
	if err != nil {
		return Task{}, fmt.Errorf("insert task: %w", err)
	}
	return Task{row}, tx.copyRecipients(ctx, task, recipients)
}

// chunkSize is how many rows go into one COPY: enough that its overhead does not
// show, few enough that memory stays flat.
const chunkSize = 10_000

func (tx *Tx) copyRecipients(ctx context.Context, task db.InsertTaskParams, recipients []Recipient) error {
	rows := make([]db.CopyRecipientsParams, 0, min(len(recipients), chunkSize))
	for start := 0; start < len(recipients); start += chunkSize {
		rows = rows[:0]
		for i, r := range recipients[start:min(start+chunkSize, len(recipients))] {
			rows = append(rows, db.CopyRecipientsParams{
				ProgramID: task.ProgramID, TaskID: task.ID, Position: int32(start + i),
				CustomerEmail: r.Email, CustomerPhone: r.Phone,
				CustomerName: r.Name, SenderName: r.Sender, CustomMessage: r.Message,
			})
		}
		if _, err := tx.q.CopyRecipients(ctx, rows); err != nil {
			return fmt.Errorf("copy recipients: %w", err)
		}
	}
	return nil
}

// SetTaskJob writes down which job issues the task's cards.
func (tx *Tx) SetTaskJob(ctx context.Context, task Task, job int64) error {
	if err := tx.q.SetTaskJob(ctx, &job, task.ProgramID, task.ID); err != nil {
		return fmt.Errorf("set job of task: %w", err)
	}
	return nil
}

// FindTask returns the task of the program, or ErrTaskNotFound.
func (tx *Tx) FindTask(ctx context.Context, program id.ID, task uuid.UUID) (Task, error) {
	row, err := tx.q.FindTask(ctx, program, task)
	if errors.Is(err, pgx.ErrNoRows) {
		return Task{}, ErrTaskNotFound
	}
	if err != nil {
		return Task{}, fmt.Errorf("find task: %w", err)
	}
	return Task{row}, nil
}

// StartTask makes an unfinished task visible as processing and returns how often
// it was started by now; 0 if it is finished.
func (tx *Tx) StartTask(ctx context.Context, program id.ID, task uuid.UUID) (attempts int, err error) {
	started, err := tx.q.StartTask(ctx, program, task)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("start task: %w", err)
	}
	return int(started), nil
}

// GiveBackAttempt takes back the count of an attempt that was cut off in good order.
func (tx *Tx) GiveBackAttempt(ctx context.Context, program id.ID, task uuid.UUID) error {
	if err := tx.q.GiveBackAttempt(ctx, program, task); err != nil {
		return fmt.Errorf("give back attempt: %w", err)
	}
	return nil
}

// IssueTask issues all cards of the task and completes it, or does nothing if it
// is finished: a job may run twice, even at the same time. It holds at most one
// chunk of cards in memory.
func (tx *Tx) IssueTask(ctx context.Context, program id.ID, taskID uuid.UUID) error {
	row, err := tx.q.LockTask(ctx, program, taskID)
	if err != nil {
		return fmt.Errorf("lock task: %w", err)
	}
	task := Task{row}
	if task.Finished() {
		return nil
	}
	terms := Terms{
		ProgramID: program, InitialValue: task.InitialValue, IsPhysical: task.IsPhysical,
		DesignTemplate: task.DesignTemplate, ExpiresAt: &task.ExpiresAt,
	}
	for start := 0; start < int(task.CardCount); start += chunkSize {
		recipients, err := tx.taskRecipients(ctx, task, start)
		if err != nil {
			return err
		}
		cards, err := tx.newCards(terms, task.FirstCardID.Plus(start), recipients)
		if err != nil {
			return err
		}
		if err := tx.copyCards(ctx, cards); err != nil {
			return err
		}
		if _, err := tx.q.CopyMessages(ctx, tx.newMessages(cards, true)); err != nil {
			return fmt.Errorf("copy messages: %w", err)
		}
	}
	if err := tx.q.DeleteRecipients(ctx, program, taskID); err != nil {
		return fmt.Errorf("delete recipients: %w", err)
	}
	completed, err := tx.q.CompleteTask(ctx, tx.now, program, taskID)
	if err != nil {
		return fmt.Errorf("complete task: %w", err)
	}
	tx.tally[tasksCompleted] += completed
	tx.tally[cardsByTasks] += int64(task.CardCount)
	return nil
}

// taskRecipients returns one chunk of a task's recipients, nobody in count mode.
func (tx *Tx) taskRecipients(ctx context.Context, task Task, start int) ([]Recipient, error) {
	recipients := make([]Recipient, min(chunkSize, int(task.CardCount)-start))
	if task.ByCount {
		return recipients, nil
	}
	rows, err := tx.q.ListRecipients(ctx, db.ListRecipientsParams{
		ProgramID: task.ProgramID, TaskID: task.ID, First: int32(start), Batch: int32(len(recipients)),
	})
	if err != nil {
		return nil, fmt.Errorf("list recipients: %w", err)
	}
	if len(rows) != len(recipients) {
		return nil, fmt.Errorf("task %s: %d recipients from position %d, want %d", task.ID, len(rows), start, len(recipients))
	}
	for i, r := range rows {
		recipients[i] = Recipient{
			Email: r.CustomerEmail, Phone: r.CustomerPhone,
			Name: r.CustomerName, Sender: r.SenderName, Message: r.CustomMessage,
		}
	}
	return recipients, nil
}

// copyCards writes cards by COPY. COPY has no ON CONFLICT, so a number that is
// taken costs the chunk: it goes back to the savepoint and gets new numbers.
func (tx *Tx) copyCards(ctx context.Context, cards []GiftCard) error {
	rows := make([]db.CopyGiftCardsParams, len(cards))
	for range maxNumberRounds {
		for i, card := range cards {
			rows[i] = copyParams(card)
		}
		// The unique index on the number takes sorted rows faster.
		slices.SortFunc(rows, func(a, b db.CopyGiftCardsParams) int { return cmp.Compare(a.CardNumber, b.CardNumber) })
		err := pgx.BeginFunc(ctx, tx.tx, func(savepoint pgx.Tx) error {
			_, err := db.New(savepoint).CopyGiftCards(ctx, rows)
			return err
		})
		if err == nil {
			return nil
		}
		if !violates(err, constraintCardNumber) {
			return fmt.Errorf("copy cards: %w", err)
		}
		for i := range cards {
			cards[i].CardNumber = tx.store.numbers.random()
		}
	}
	return errNumbersExhausted
}

// FailTask ends an unfinished task without cards; reason is a sentence for the
// merchant. A finished task stays as it is.
func (tx *Tx) FailTask(ctx context.Context, program id.ID, task uuid.UUID, reason string) error {
	failed, err := tx.q.FailTask(ctx, db.FailTaskParams{
		ProgramID: program, ID: task, Error: reason, CompletedAt: tx.now,
	})
	if err != nil {
		return fmt.Errorf("fail task: %w", err)
	}
	tx.tally[tasksFailed] += failed
	if err := tx.q.DeleteRecipients(ctx, program, task); err != nil {
		return fmt.Errorf("delete recipients: %w", err)
	}
	return nil
}

// AbandonedTasks returns, and locks, at most limit unfinished tasks that nobody
// works on: whoever did has died, or gave up.
func (tx *Tx) AbandonedTasks(ctx context.Context, limit int) ([]Task, error) {
	rows, err := tx.q.LockAbandonedTasks(ctx, startGrace, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("lock abandoned tasks: %w", err)
	}
	tasks := make([]Task, len(rows))
	for i, row := range rows {
		tasks[i] = Task{row}
	}
	return tasks, nil
}

// startGrace is what a worker may need from taking its job to locking the task.
// One that needs longer meets a second worker, and one of the two finds the task
// done.
const startGrace = 3 * time.Second

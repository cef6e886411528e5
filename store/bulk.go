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

// Batch returns the cards of a completed task.
func (t Task) Batch() Batch {
	return Batch{ProgramID: t.ProgramID, First: t.FirstCardID, Count: int(t.CardCount)}
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
	countedIn, err := tx.countIssued(ctx, terms, count)
	if err != nil {
		return Task{}, err
	}
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
		FirstCardID:    id.NewBlock(tx.now, count),
		CreatedAt:      tx.now,
		CountedIn:      countedIn,

		UserID: access.User.ID, TokensValidAfter: access.User.TokensValidAfter,
	}
	row, err := tx.q.InsertTask(ctx, task)
	if err != nil {
		return Task{}, fmt.Errorf("insert task: %w", err)
	}
	return Task{row}, tx.insertRecipients(ctx, Task{row}, recipients)
}

// chunkSize is how many cards one COPY writes, and how many recipients are in one row. More
// would need more memory; fewer would cost more round trips. A version with another size
// could not read the recipients of unfinished tasks.
const chunkSize = 10_000

// SetTaskJob stores which job issues the task's cards.
func (tx *Tx) SetTaskJob(ctx context.Context, task Task, job int64) error {
	if err := tx.q.SetTaskJob(ctx, &job, task.ProgramID, task.ID); err != nil {
		return fmt.Errorf("set job of task: %w", err)
	}
	return nil
}

// FindTask returns the task in the program of the access. It fails with ErrTaskNotFound, or
// with ErrAccessChanged if token or user have changed.
func (s *Store) FindTask(ctx context.Context, access Access, task uuid.UUID) (Task, error) {
	row, err := s.tasks.Do(ctx, db.FindTaskParams{
		ProgramID: access.Program.ID, ID: task,
		TokenID: access.TokenID, UserID: access.User.ID, MerchantID: access.User.MerchantID,
		Role: access.User.Role, TokensValidAfter: access.User.TokensValidAfter,
	})
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

func (s *Store) findTasks(ctx context.Context, of []db.FindTaskParams) ([]*db.FindTaskRow, error) {
	return findEach(len(of), s.q.FindTask(ctx, of).QueryRow)
}

// ErrNoSlot means that the merchant already runs its maximum of large tasks.
var ErrNoSlot = errors.New("the merchant's slots are all taken")

// TakeSlot reserves one of the merchant's slots for large tasks until the transaction ends. A
// merchant has that many slots over all instances. It fails with ErrNoSlot if no slot is
// free, or if older tasks come first.
func (tx *Tx) TakeSlot(ctx context.Context, program id.ID, task uuid.UUID, slots int) error {
	older, err := tx.q.CountOlderTasks(ctx, program, task, QueueLarge)
	if err != nil {
		return fmt.Errorf("count older tasks: %w", err)
	}
	if older >= int64(slots) {
		return ErrNoSlot
	}
	_, err = tx.q.TakeSlot(ctx, int32(slots), program)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNoSlot
	}
	if err != nil {
		return fmt.Errorf("take slot: %w", err)
	}
	return nil
}

// StartTask sets an unfinished task to processing, and returns how many attempts have begun,
// including this one; 0 if the task is finished.
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

// GiveBackAttempt subtracts an attempt that was no attempt, or that an orderly stop ended.
func (tx *Tx) GiveBackAttempt(ctx context.Context, program id.ID, task uuid.UUID) error {
	if err := tx.q.GiveBackAttempt(ctx, program, task); err != nil {
		return fmt.Errorf("give back attempt: %w", err)
	}
	return nil
}

// IssueTask issues all cards of the task and completes it. If the task is finished, it does
// nothing, because a job may run twice, even at the same time. After each chunk it calls
// written with the number of cards so far, which are not committed yet. It holds at most two
// chunks of cards in memory. It fails with a *TaskStoppedError if the task's user may not
// issue any more, or if an operator has cancelled the task.
func (tx *Tx) IssueTask(ctx context.Context, program id.ID, taskID uuid.UUID, written func(cards int)) error {
	// The lock on the row is the worker's lease: PostgreSQL releases it when the worker's
	// connection dies. A second worker waits here, and then finds the task finished.
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
	if err := tx.writeChunks(ctx, task, terms, written); err != nil {
		return err
	}
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

// writeChunks writes all cards of the task with their messages. It makes a chunk while
// PostgreSQL writes the chunk before it.
func (tx *Tx) writeChunks(ctx context.Context, task Task, terms Terms, written func(cards int)) error {
	next, err := tx.makeChunk(ctx, task, terms, 0)
	if err != nil {
		return err
	}
	for end := chunkSize; next != nil; end += chunkSize {
		chunk := <-next
		if chunk.err != nil {
			return chunk.err
		}
		if next, err = tx.makeChunk(ctx, task, terms, end); err != nil {
			return err
		}
		// Before each chunk, because all chunks together can take a minute, and a cancelled
		// task need not go on for so long.
		if err := tx.checkTask(ctx, task); err != nil {
			return err
		}
		if err := tx.copyCards(ctx, chunk.cards); err != nil {
			return err
		}
		if len(chunk.messages) > 0 {
			if _, err := tx.q.CopyMessages(ctx, chunk.messages); err != nil {
				return fmt.Errorf("copy messages: %w", err)
			}
		}
		tx.store.counts[cardsWritten].Add(int64(len(chunk.cards)))
		written(min(end, int(task.CardCount)))
	}
	return nil
}

// chunk is rows that are not written yet, or the error that prevented them.
type chunk struct {
	cards    []*GiftCard // in the order of their numbers
	messages []db.CopyMessagesParams
	err      error
}

// makeChunk reads the recipients of one chunk, and makes its rows in a goroutine, while
// PostgreSQL writes the chunk before it. It returns nil after the last chunk.
func (tx *Tx) makeChunk(ctx context.Context, task Task, terms Terms, start int) (<-chan chunk, error) {
	if start >= int(task.CardCount) {
		return nil, nil
	}
	count := min(chunkSize, int(task.CardCount)-start)
	recipients, err := tx.findRecipients(ctx, task, start)
	if err != nil {
		return nil, err
	}
	made := make(chan chunk, 1) // buffered, so that the goroutine ends even if its caller has returned early
	go func() { made <- tx.makeRows(task, terms, recipients, start, count) }()
	return made, nil
}

func (tx *Tx) makeRows(task Task, terms Terms, encoded []byte, start, count int) chunk {
	recipients, err := decodeRecipients(encoded, count)
	if err != nil {
		return chunk{err: err}
	}
	cards, err := tx.store.newCards(tx.now, terms, task.FirstCardID.Plus(start), recipients)
	if err != nil {
		return chunk{err: err}
	}
	return chunk{cards: inNumberOrder(cards), messages: tx.newMessages(cards, true)}
}

// inNumberOrder returns the cards in the order of their numbers, because the unique index
// on numbers then takes them faster. It sorts numbers with their places, because following
// a pointer for each comparison costs more.
func inNumberOrder(cards []GiftCard) []*GiftCard {
	type numbered struct {
		number int64
		card   int
	}
	order := make([]numbered, len(cards))
	for i := range cards {
		order[i] = numbered{cards[i].CardNumber, i}
	}
	slices.SortFunc(order, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	return each(order, func(o numbered) *GiftCard { return &cards[o.card] })
}

// copyCards writes cards by COPY. COPY has no ON CONFLICT, so if a number is taken, the whole
// chunk goes back to the savepoint and gets new numbers.
func (tx *Tx) copyCards(ctx context.Context, cards []*GiftCard) error {
	for range maxNumberRounds {
		err := pgx.BeginFunc(ctx, tx.tx, func(savepoint pgx.Tx) error {
			_, err := savepoint.CopyFrom(ctx, pgx.Identifier{"gift_cards"}, names(cardColumns),
				pgx.CopyFromSlice(len(cards), func(i int) ([]any, error) { return values(cardColumns, cards[i]), nil }))
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

// AbandonedTasks locks and returns at most limit unfinished tasks that no worker works on,
// because their worker died or gave up.
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

// startGrace is how long a worker may take from taking its job to locking the task. If it
// takes longer, a second worker is started, and one of the two finds the task finished.
const startGrace = 3 * time.Second

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/id"
)

type tasksCommand struct {
	List   listTasks   `cmd:"" help:"List bulk tasks, the latest first."`
	Cancel cancelTasks `cmd:"" help:"Cancel unfinished tasks, which then issue no cards: the named ones, or all of a user or merchant. Completed tasks and their cards stay."`
}

type listTasks struct {
	Status    string        `enum:",pending,processing,completed,failed" default:"" help:"pending, processing, completed or failed. Default: all."`
	Merchant  id.ID         `placeholder:"ID" help:"Only tasks of this merchant."`
	User      string        `placeholder:"EMAIL" help:"Only tasks of this user."`
	OlderThan time.Duration `placeholder:"DURATION" help:"Only tasks added longer ago than this, such as 1h."`
	Limit     int           `default:"100" help:"Most tasks to list (${default})."`
}

type printedTask struct {
	TaskID      uuid.UUID  `json:"taskId"`
	ProgramID   id.ID      `json:"programId"`
	MerchantID  id.ID      `json:"merchantId"`
	UserID      *id.ID     `json:"userId"` // null if the task belongs to nobody
	Status      string     `json:"status"`
	Cards       int32      `json:"cards"`
	Written     int        `json:"written"` // of the cards; those of a task that is not completed are not issued yet
	Attempts    int16      `json:"attempts"`
	CreatedAt   time.Time  `json:"createdAt"`
	CompletedAt *time.Time `json:"completedAt"`
	Error       *string    `json:"error"`
}

func toPrintedTask(t store.ListedTask, progress store.Progress) printedTask {
	return printedTask{
		Written: progress.Of(t.Task),

		TaskID: t.ID, ProgramID: t.ProgramID, MerchantID: t.MerchantID, UserID: orNull(t.UserID), Status: t.Status, Cards: t.CardCount,
		Attempts: t.Attempts, CreatedAt: t.CreatedAt.UTC(), CompletedAt: t.CompletedAt, Error: t.Error,
	}
}

func (c listTasks) Run(s *session) error {
	if c.Limit < 1 || c.Limit > maxListed {
		return fmt.Errorf("--limit: want 1 to %d", maxListed)
	}
	if c.OlderThan < 0 {
		return errors.New("--older-than: want a duration such as 24h")
	}
	return printResult(s, func(st *store.Store) ([]printedTask, error) {
		// Before the tasks, because a task that is completed by then has all of its cards.
		progress, err := st.ReadProgress(s)
		if err != nil {
			return nil, err
		}
		return store.Read(s, st, func(tx *store.Tx) ([]printedTask, error) {
			user, err := userNamed(s, tx, c.User)
			if err != nil {
				return nil, err
			}
			rows, err := tx.Tasks(s, store.TaskFilter{Status: c.Status, Merchant: c.Merchant, User: user.ID, OlderThan: c.OlderThan}, c.Limit)
			return each(rows, err, func(t store.ListedTask) printedTask { return toPrintedTask(t, progress) })
		})
	})
}

// userNamed finds the user with the address. It returns the zero User without an address.
func userNamed(s *session, tx *store.Tx, email string) (store.User, error) {
	if email == "" {
		return store.User{}, nil
	}
	user, err := tx.FindUserByEmail(s, email)
	return user, naming(email, err)
}

type cancelTasks struct {
	Tasks    []uuid.UUID `arg:"" optional:"" name:"task-id" help:"Tasks to cancel."`
	User     string      `placeholder:"EMAIL" help:"Cancel all unfinished tasks of this user."`
	Merchant id.ID       `placeholder:"ID" help:"Cancel all unfinished tasks of this merchant."`
}

// Outcomes of an attempt to cancel an unfinished task.
const (
	outcomeCancelled = "cancelled"
	outcomeStopping  = "stopping" // the worker has not stopped yet, and will before its next chunk
)

type printedCancel struct {
	TaskID    uuid.UUID `json:"taskId"`
	ProgramID id.ID     `json:"programId"`
	Cards     int32     `json:"cards"`
	// Outcome is cancelled, stopping, or the earlier end of the task: completed or failed.
	Outcome string `json:"outcome"`
}

// cancelWait is the time that a cancelled task's worker gets to stop. The worker looks
// before each chunk of cards, which takes about a second.
const cancelWait = 15 * time.Second

// Run first requests all cancellations in one transaction, so that all workers stop at
// the same time. Then it ends each task in its own transaction, because that waits for
// the task's worker.
func (c cancelTasks) Run(s *session) error {
	if (len(c.Tasks) > 0) == (c.User != "" || !c.Merchant.IsZero()) {
		return errors.New("name tasks, or --user or --merchant")
	}
	return printResult(s, func(st *store.Store) ([]printedCancel, error) {
		tasks, err := store.Write(s, st, func(tx *store.Tx) ([]store.Task, error) { return c.request(s, tx) })
		if err != nil {
			return nil, err
		}
		printed := make([]printedCancel, len(tasks))
		for i, task := range tasks {
			printed[i] = printedCancel{TaskID: task.ID, ProgramID: task.ProgramID, Cards: task.CardCount, Outcome: task.Status}
			// A finished task stays as it is, and its outcome is its status.
			if task.Finished() {
				continue
			}
			if printed[i].Outcome, err = finishCancellation(s, st, task, cancelWait); err != nil {
				return nil, fmt.Errorf("task %s: %w", task.ID, err)
			}
		}
		return printed, nil
	})
}

func (c cancelTasks) request(s *session, tx *store.Tx) ([]store.Task, error) {
	user, err := userNamed(s, tx, c.User)
	if err != nil {
		return nil, err
	}
	tasks, err := tx.RequestCancellations(s, c.Tasks, c.Merchant, user.ID)
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		// Nothing changes for a finished task, so that it gets no entry.
		if task.Finished() {
			continue
		}
		err := s.audit(tx, store.AuditEntry{Operation: "tasks cancel", ProgramID: task.ProgramID, Subject: task.ID[:], Cards: task.CardCount})
		if err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// finishCancellation ends a task once its worker has stopped, and returns the outcome.
func finishCancellation(s *session, st *store.Store, task store.Task, wait time.Duration) (outcome string, err error) {
	ended, err := store.Write(s, st, func(tx *store.Tx) (store.Task, error) {
		ended, err := tx.FinishCancellation(s, task.ProgramID, task.ID, wait)
		if err != nil {
			return store.Task{}, err
		}
		// The job ends in the same transaction as the task, so that no worker takes it in
		// between.
		return ended, jobs.Cancel(s, tx, ended)
	})
	switch {
	case errors.Is(err, store.ErrTaskBusy):
		return outcomeStopping, nil
	case err != nil:
		return "", err
	case ended.Cancelled():
		return outcomeCancelled, nil
	}
	return ended.Status, nil
}

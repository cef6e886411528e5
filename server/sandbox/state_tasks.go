package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/id"
)

// How long a state waits for its task, and how often it looks.
const (
	taskWait = 20 * time.Second
	taskLook = 10 * time.Millisecond
)

var errTaskSlow = badRequest("The task was not completed in time: the sandbox is busy, or has no workers")

func completedTask(c *scene) error {
	task, err := c.addTask("")
	if err != nil {
		return err
	}
	return c.awaitTask(task, store.TaskCompleted)
}

func failedTask(c *scene) error {
	task, err := c.addTask("failed")
	if err != nil {
		return err
	}
	return c.awaitTask(task, store.TaskFailed)
}

func stuckTask(c *scene) error {
	_, err := c.addTask("stuck")
	return err
}

// addTask sends a bulk request that becomes a task, however few cards it asks for. behaviour
// is for Sandbox-Task, "" for none.
func (c *scene) addTask(behaviour string) (uuid.UUID, error) {
	header := map[string]string{preferHeader: fmt.Sprintf("code=%d", http.StatusAccepted)}
	if behaviour != "" {
		header[taskHeader] = behaviour
	}
	body := map[string]any{"initialValue": c.params["amount"], "count": c.counted("count")}
	var accepted api.BulkIssuanceAsyncResponse
	if err := c.do(step{method: http.MethodPost, path: "/cards/bulk", body: body, header: header}, &accepted); err != nil {
		return uuid.UUID{}, err
	}
	c.values["taskId"], c.values["count"] = accepted.TaskId, c.counted("count")
	return uuid.Parse(accepted.TaskId)
}

// awaitTask waits until a task has ended, and fails unless it has the status then.
func (c *scene) awaitTask(task uuid.UUID, status string) error {
	ctx, cancel := context.WithTimeout(c.request.Context(), taskWait)
	defer cancel()
	access, err := c.sandbox.Store.FindAccess(ctx, c.issuer().ID, "", c.program)
	if err != nil {
		return err
	}
	for {
		found, err := c.sandbox.Store.FindTask(ctx, access, task)
		switch {
		// The store calls this unavailable, but the task is late and not the database.
		case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return errTaskSlow
		case err != nil:
			return err
		case found.Status == status:
			return nil
		case found.Finished():
			return fmt.Errorf("the task of a state is %s, want %s", found.Status, status)
		}
		select {
		case <-ctx.Done():
			return errTaskSlow
		case <-time.After(taskLook):
		}
	}
}

// cancelWait is how long teardown waits for the worker of a task.
const cancelWait = 2 * time.Second

// endTasks cancels the unfinished tasks of the world, as an operator does.
func endTasks(c *scene) error {
	ctx, st := c.request.Context(), c.sandbox.Store
	tasks, err := store.Write(ctx, st, func(tx *store.Tx) ([]store.Task, error) {
		return tx.RequestCancellations(ctx, nil, c.world.MerchantID, id.ID{})
	})
	if err != nil {
		return err
	}
	for _, task := range tasks {
		err := store.Do(ctx, st, func(tx *store.Tx) error {
			ended, err := tx.FinishCancellation(ctx, task.ProgramID, task.ID, cancelWait)
			if err != nil {
				return err
			}
			return jobs.Cancel(ctx, tx, ended)
		})
		// A busy worker ends the task itself at the next chunk of cards.
		if err != nil && !errors.Is(err, store.ErrTaskBusy) {
			return err
		}
	}
	return nil
}

package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"giftcards/jobs"
	"giftcards/server"
)

// taskBehaviour says what becomes of the task of a bulk request. The zero value changes nothing.
type taskBehaviour jobs.Fate

var errTask = errors.New(taskHeader + " must be failed, stuck or slow=DURATION (1ms to 60s, such as slow=10s)")

// parseTask reads a Sandbox-Task. The error is a sentence for the client.
func parseTask(value string) (taskBehaviour, error) {
	argument, isSlow := strings.CutPrefix(value, "slow=")
	switch {
	case value == "failed":
		return taskBehaviour{Fails: true}, nil
	case value == "stuck":
		return taskBehaviour{Sticks: true}, nil
	case isSlow:
		if delay, ok := parseDelay(argument); ok {
			return taskBehaviour{Delay: delay}, nil
		}
	}
	return taskBehaviour{}, errTask
}

// withTask returns a context in which a bulk request becomes a task, however few cards it asks
// for, and in which the task behaves as b says.
func withTask(ctx context.Context, b taskBehaviour) context.Context {
	if b == (taskBehaviour{}) {
		return ctx
	}
	return server.WithBulkTask(jobs.WithFate(ctx, jobs.Fate(b)), true)
}

// registerTasks registers the operations on tasks.
func (s *Sandbox) registerTasks() {
	s.ownMux.HandleFunc("POST /sandbox/tasks/{taskId}/release", s.answering(s.releaseTask))
}

// releaseTask lets a stuck task go on.
func (s *Sandbox) releaseTask(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	name := r.PathValue("taskId")
	taskID, err := uuid.Parse(name)
	if err != nil || taskID.String() != name {
		return 0, nil, badRequest("taskId must be a UUID in lower case, as in the answer to the bulk request")
	}
	task, err := s.Jobs.Release(r.Context(), taskID)
	return http.StatusOK, map[string]string{"taskId": task.ID.String(), "status": task.Status}, err
}

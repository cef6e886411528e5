package sandbox

import (
	"context"
	"errors"
)

// taskBehaviour is how the task of a bulk request goes. The zero value is as always.
type taskBehaviour struct{}

// parseTask reads a Sandbox-Task. The error is a sentence for the client.
func parseTask(string) (taskBehaviour, error) {
	return taskBehaviour{}, errors.New(taskHeader + " is not known")
}

// withTask returns a context in which the server adds a task that goes as asked.
func withTask(ctx context.Context, _ taskBehaviour) context.Context { return ctx }

// registerTasks registers the operations on tasks.
func (s *Sandbox) registerTasks() {}

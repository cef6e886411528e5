package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// This file tells how far a running task is. No table can, because the cards of a task are
// committed together. So the worker names its session after the task and the number of cards that
// it has written. Every session sees that name at once, and it ends with the worker's session.

// Progress is how many cards the workers of running tasks have written, by task.
type Progress map[uuid.UUID]int

// progressPrefix begins the name of a session that issues the cards of a task.
const progressPrefix = "giftcards task "

// tellProgress names the session, until the transaction ends.
func (tx *Tx) tellProgress(ctx context.Context, task uuid.UUID, written int) error {
	name := progressPrefix + task.String() + " " + strconv.Itoa(written)
	_, err := tx.tx.Exec(ctx, "select set_config('application_name', $1, true)", name)
	return wrap(err, "tell progress of task")
}

// parseProgress reads what tellProgress wrote. ok is false for a name that it did not write.
func parseProgress(name string) (task uuid.UUID, written int, ok bool) {
	id, number, ok := strings.Cut(strings.TrimPrefix(name, progressPrefix), " ")
	if !ok {
		return task, 0, false
	}
	task, err := uuid.Parse(id)
	if err != nil {
		return task, 0, false
	}
	written, err = strconv.Atoi(number)
	return task, written, err == nil
}

// ReadProgress asks the database how far all running tasks are.
func (s *Store) ReadProgress(ctx context.Context) (Progress, error) {
	rows, err := s.pool.Query(ctx, "select application_name from pg_stat_activity where datname = current_database() and starts_with(application_name, $1)", progressPrefix)
	if err != nil {
		return nil, classify(fmt.Errorf("read progress of tasks: %w", err))
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, classify(fmt.Errorf("read progress of tasks: %w", err))
	}
	progress := Progress{}
	for _, name := range names {
		if task, written, ok := parseProgress(name); ok {
			progress[task] = max(progress[task], written) // a worker that was cut off may still have its session
		}
	}
	return progress, nil
}

// watched is the progress of tasks as this instance last read it. Polls read it from memory, so
// that they cost nothing more, and keep it fresh by asking.
type watched struct {
	progress atomic.Pointer[Progress]
	asked    atomic.Int64 // when somebody last asked, in nanoseconds
}

// watchedFor is how long progress is still read after somebody asked for it. Clients poll every 2
// seconds, and some of them less often.
const watchedFor = 10 * time.Second

// Of returns how many cards of a task are written. A completed task has all of them, and a failed
// task none.
func (p Progress) Of(task Task) int {
	switch task.Status {
	case TaskCompleted:
		return int(task.CardCount)
	case TaskProcessing:
		return p[task.ID]
	}
	return 0
}

// Written returns how many cards of a task are written, as WatchProgress saw it last.
func (s *Store) Written(task Task) int {
	var progress Progress
	if task.Status == TaskProcessing {
		s.watched.asked.Store(time.Now().UnixNano())
		if last := s.watched.progress.Load(); last != nil {
			progress = *last
		}
	}
	return progress.Of(task)
}

// WatchProgress reads the progress of tasks for Written, if somebody has asked lately. Call it
// about once a second.
func (s *Store) WatchProgress(ctx context.Context) error {
	if time.Since(time.Unix(0, s.watched.asked.Load())) > watchedFor {
		s.watched.progress.Store(nil)
		return nil
	}
	progress, err := s.ReadProgress(ctx)
	if err != nil {
		return err
	}
	s.watched.progress.Store(&progress)
	return nil
}

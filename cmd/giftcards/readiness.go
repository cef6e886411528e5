package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/keyring"
)

// readiness says whether the server can do its work. The schema is checked by
// starting: a server does not run on another.
type readiness struct {
	store    *store.Store
	jobs     *jobs.Jobs
	keys     *keyring.Ring
	stopping *atomic.Bool
	log      *slog.Logger

	mutex  sync.Mutex
	logged string // why it was not ready, "" if it was
}

// check returns an error that says what is missing, and nothing of the inside: who
// asks may be anybody. The cause goes into the log, once.
func (r *readiness) check(ctx context.Context) error {
	reason, cause := r.missing(ctx)
	// Of a stop the log knows; and the database is not away because who asked has gone.
	if !r.stopping.Load() && !errors.Is(ctx.Err(), context.Canceled) {
		r.tell(ctx, reason, cause)
	}
	if reason == "" {
		return nil
	}
	return errors.New(reason)
}

// databaseCheck is how long the database may take to say that it takes writes: shorter
// than the 3 seconds within which /readyz answers.
const databaseCheck = 2 * time.Second

// missing returns "" if nothing is.
func (r *readiness) missing(ctx context.Context) (reason string, cause error) {
	if r.stopping.Load() {
		return "Shutting down", nil
	}
	if !r.jobs.Running() {
		return "Worker is not running", nil
	}
	if err := r.keys.Err(); err != nil { // keys that others made are unknown: their tokens would be refused
		return "Key file cannot be read", err
	}
	// A database that hangs, or a pool that is exhausted, must not make a probe wait.
	ctx, cancel := context.WithTimeout(ctx, databaseCheck)
	defer cancel()
	switch err := r.store.CheckWritable(ctx); {
	case errors.Is(err, store.ErrNotWritable):
		return "Database takes no writes", err
	case err != nil:
		return "Database is not reachable", err
	}
	return "", nil
}

// tell logs what has changed since it was last asked.
func (r *readiness) tell(ctx context.Context, reason string, cause error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case reason == r.logged:
		return
	case reason == "":
		r.log.InfoContext(ctx, "ready again")
	case cause == nil:
		r.log.WarnContext(ctx, "not ready", "reason", reason)
	default:
		r.log.WarnContext(ctx, "not ready", "reason", reason, "error", cause)
	}
	r.logged = reason
}

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

// readiness reports whether the server can do its work. It does not check the schema,
// because a server only starts with the right one.
type readiness struct {
	store    *store.Store
	jobs     *jobs.Jobs
	keys     *keyring.Ring
	stopping *atomic.Bool
	log      *slog.Logger

	mutex  sync.Mutex
	logged string // why it was not ready, "" if it was
}

// check returns an error with the reason, without any detail, because anybody may ask.
// The log gets the cause once.
func (r *readiness) check(ctx context.Context) error {
	reason, cause := r.missing(ctx)
	// The stop is logged already. After the client has gone, its cancelled context looks
	// like a database that fails.
	if !r.stopping.Load() && !errors.Is(ctx.Err(), context.Canceled) {
		r.logChange(ctx, reason, cause)
	}
	if reason == "" {
		return nil
	}
	return errors.New(reason)
}

// databaseCheck bounds the check of the database. It is shorter than the 3 seconds within
// which /readyz answers.
const databaseCheck = 2 * time.Second

// missing returns the reason why the server is not ready, "" if it is.
func (r *readiness) missing(ctx context.Context) (reason string, cause error) {
	if r.stopping.Load() {
		return "Shutting down", nil
	}
	if !r.jobs.Running() {
		return "Worker is not running", nil
	}
	// Without the file this server does not know keys that another instance has added, and
	// would refuse tokens that were signed with them.
	if err := r.keys.Err(); err != nil {
		return "Key file cannot be read", err
	}
	// A hanging database or an exhausted pool must not make a probe wait.
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

// logChange logs the reason if it differs from the last one.
func (r *readiness) logChange(ctx context.Context, reason string, cause error) {
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

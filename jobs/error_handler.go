package jobs

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// errorHandler logs failed attempts at jobs, because River logs them below the level that
// is enabled for it. A job's arguments contain only ids, so that they may be logged.
type errorHandler struct{ logger *slog.Logger }

// HandleError logs a failed attempt. River retries the job.
func (h errorHandler) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	h.logger.WarnContext(ctx, "job failed", "kind", job.Kind, "job_args", string(job.EncodedArgs), "attempt", job.Attempt, "error", err)
	return nil
}

// HandlePanic logs an attempt that panicked. River retries the job.
func (h errorHandler) HandlePanic(ctx context.Context, job *rivertype.JobRow, panicked any, trace string) *river.ErrorHandlerResult {
	h.logger.ErrorContext(ctx, "job panicked", "kind", job.Kind, "job_args", string(job.EncodedArgs), "attempt", job.Attempt, "panic", panicked, "trace", trace)
	return nil
}

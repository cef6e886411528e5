package jobs

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// errorHandler logs what goes wrong with jobs, which River tells at a level that
// is not listened to. Arguments hold ids only.
type errorHandler struct{ logger *slog.Logger }

// HandleError logs a failed attempt; River tries again.
func (h errorHandler) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	h.logger.WarnContext(ctx, "job failed", "kind", job.Kind, "job_args", string(job.EncodedArgs), "attempt", job.Attempt, "error", err)
	return nil
}

// HandlePanic logs an attempt that panicked; River tries again.
func (h errorHandler) HandlePanic(ctx context.Context, job *rivertype.JobRow, panicked any, trace string) *river.ErrorHandlerResult {
	h.logger.ErrorContext(ctx, "job panicked", "kind", job.Kind, "job_args", string(job.EncodedArgs), "attempt", job.Attempt, "panic", panicked, "trace", trace)
	return nil
}

package main

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/metric"

	"giftcards/server/logbuffer"
	"giftcards/server/telemetry"
)

// maxLogSample is the largest --log-sample. One line of more than a million requests says nothing.
const maxLogSample = 1_000_000

// serverLog is the log of a server, with the level and the format of the settings.
type serverLog struct {
	*slog.Logger

	successes *slog.Logger // for the lines of successful requests
	buffer    *logbuffer.Buffer
}

// openLog sets the log of a server. The returned function writes the lines that wait.
func (s *session) openLog() (finish func()) {
	s.log = s.config.newLog(s.stderr)
	// After a signal each line is written at once, because a second signal kills the program.
	context.AfterFunc(s, s.log.buffer.Close)
	return s.log.buffer.Close
}

// newLog returns a log to out. Its buffer must be closed.
func (c *config) newLog(out io.Writer) serverLog {
	level, _ := c.level() // checked with the settings
	options := &slog.HandlerOptions{Level: level}
	buffer := logbuffer.New(out, func(out io.Writer) slog.Handler {
		if c.LogFormat == "json" {
			return slog.NewJSONHandler(out, options)
		}
		return slog.NewTextHandler(out, options)
	})
	return serverLog{
		Logger:    slog.New(telemetry.Logs(buffer.Handler())),
		successes: slog.New(telemetry.Logs(buffer.Droppable())),
		buffer:    buffer,
	}
}

// measure publishes how many lines are missing in the log.
func (l serverLog) measure(meter metric.Meter) error {
	_, err := meter.Int64ObservableCounter("giftcards_log_lines_lost_total",
		metric.WithDescription("Log lines that were dropped because the log was not read fast enough, or that could not be written."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(l.buffer.Lost())
			return nil
		}))
	return err
}

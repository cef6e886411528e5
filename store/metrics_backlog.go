package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

const (
	// backlogEvery is how long the counts of a backlog are cached: scrapes within this time
	// get the same numbers.
	backlogEvery   = 10 * time.Second
	backlogTimeout = 2 * time.Second
)

func (s *Store) measureBacklog(meter metric.Meter) error {
	jobs, jobsErr := meter.Int64ObservableGauge("giftcards_queue_jobs",
		metric.WithDescription("River's unfinished jobs, of all instances."))
	jobAge, jobAgeErr := meter.Float64ObservableGauge("giftcards_queue_oldest_seconds",
		metric.WithDescription("For how long the oldest job that a worker could take has been due."))
	tasks, tasksErr := meter.Int64ObservableGauge("giftcards_tasks",
		metric.WithDescription("Unfinished tasks, of all instances."))
	taskAge, taskAgeErr := meter.Float64ObservableGauge("giftcards_tasks_oldest_seconds",
		metric.WithDescription("Age of the oldest unfinished task."))
	due, dueErr := meter.Int64ObservableGauge("giftcards_messages_due",
		metric.WithDescription("Messages that are due and wait to be sent, of all instances."))
	late, lateErr := meter.Float64ObservableGauge("giftcards_messages_late_seconds",
		metric.WithDescription("For how long the message that is due longest has been due."))
	failed, failedErr := meter.Int64ObservableGauge("giftcards_messages_failed",
		metric.WithDescription("Messages that were given up and not retried, of all instances."))
	receiptsDue, receiptsDueErr := meter.Int64ObservableGauge("giftcards_receipts_due",
		metric.WithDescription("Receipts that are due and wait to be sent, of all instances."))
	receiptsFailed, receiptsFailedErr := meter.Int64ObservableGauge("giftcards_receipts_failed",
		metric.WithDescription("Receipts that were given up and not retried, of all instances."))
	seals, sealsErr := meter.Int64ObservableGauge("giftcards_code_key_seals",
		metric.WithDescription("Security codes that the newest key has sealed, by all instances."))
	written, writtenErr := meter.Int64ObservableGauge("giftcards_messages_written",
		metric.WithDescription("Messages that were written to files and sent to nobody, of all instances."))
	if err := errors.Join(jobsErr, jobAgeErr, tasksErr, taskAgeErr, dueErr, lateErr, failedErr, writtenErr, sealsErr, receiptsDueErr, receiptsFailedErr); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	// One callback for all gauges, so that a scrape reads the backlog once.
	var last cached[Backlog]
	_, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		b, err := last.read(ctx, backlogEvery, backlogTimeout, func(ctx context.Context) (Backlog, error) {
			return Read(ctx, s, func(tx *Tx) (Backlog, error) { return tx.Backlog(ctx) })
		})
		if err != nil {
			return err // no gauges are better than wrong ones
		}
		for _, w := range b.Jobs {
			o.ObserveInt64(jobs, w.Count, metric.WithAttributeSet(labels("queue", w.Queue, "state", w.State)))
			if w.State == jobAvailable {
				o.ObserveFloat64(jobAge, w.Age.Seconds(), metric.WithAttributeSet(labels("queue", w.Queue)))
			}
		}
		for _, w := range b.Tasks {
			o.ObserveInt64(tasks, w.Count, metric.WithAttributeSet(labels("status", w.State)))
			o.ObserveFloat64(taskAge, w.Age.Seconds(), metric.WithAttributeSet(labels("status", w.State)))
		}
		for _, w := range b.Messages {
			lane := labelsOf(w.Lane)
			o.ObserveInt64(due, w.Count, lane)
			o.ObserveFloat64(late, w.Age.Seconds(), lane)
		}
		observeReceipts(o, receiptsDue, receiptsFailed, b.Receipts)
		o.ObserveInt64(failed, b.FailedMessages)
		o.ObserveInt64(written, b.WrittenMessages)
		o.ObserveInt64(seals, b.CodeKeySeals)
		return nil
	}, jobs, jobAge, tasks, taskAge, due, late, failed, written, seals, receiptsDue, receiptsFailed)
	return err
}

func labelsOf(l Lane) metric.MeasurementOption {
	by := "request"
	if l.Bulk {
		by = "task"
	}
	return metric.WithAttributeSet(labels("channel", l.Channel, "by", by))
}

func observeReceipts(o metric.Observer, due, failed metric.Int64Observable, receipts []WaitingReceipts) {
	for _, w := range receipts {
		kind := metric.WithAttributeSet(labels("kind", w.Kind))
		o.ObserveInt64(due, w.Due, kind)
		o.ObserveInt64(failed, w.Failed, kind)
	}
}

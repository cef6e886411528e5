-- name: CountJobs :many
-- River's unfinished jobs, by queue and state, and since when the oldest is due.
-- Uses River's river_job_prioritized_fetching_index.
select j.queue, j.state, count(*) as jobs, min(j.scheduled_at)::timestamptz as oldest from (
    select queue, state, scheduled_at from river_job
    where state in ('available', 'running', 'retryable', 'scheduled')
    limit @up_to) as j
group by j.queue, j.state;

-- name: CountUnfinishedTasks :many
-- By status, and since when the oldest is there. Uses bulk_tasks_unfinished_idx.
select t.status, count(*) as tasks, min(t.created_at)::timestamptz as oldest from (
    select status, created_at from bulk_tasks where status in ('pending', 'processing')
    limit @up_to) as t
group by t.status;

-- name: CountLateMessages :one
-- Those of a lane that are due, and since when the oldest is: since now without
-- any. Uses messages_due_idx, twice: in one step it would sort more than @up_to.
select (select count(*) from (
        select from messages m
        where m.status = 'scheduled' and m.channel = @channel and m.bulk = @bulk and m.next_attempt_at <= @now::timestamptz
        limit @up_to) as due) as messages,
    coalesce((
        select o.next_attempt_at from messages o
        where o.status = 'scheduled' and o.channel = @channel and o.bulk = @bulk and o.next_attempt_at <= @now::timestamptz
        order by o.next_attempt_at limit 1), @now)::timestamptz as oldest;

-- name: CountFailedMessages :one
-- Uses messages_unsent_idx.
select count(*) from (select from messages where status = 'failed' limit @up_to) as m;

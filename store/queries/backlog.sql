-- name: CountJobs :many
-- River's unfinished jobs by queue and state, and when the oldest became due. Uses River's river_job_prioritized_fetching_index.
select j.queue, j.state, count(*) as jobs, min(j.scheduled_at)::timestamptz as oldest from (
    select queue, state, scheduled_at from river_job
    where state in ('available', 'running', 'retryable', 'scheduled')
    limit @up_to) as j
group by j.queue, j.state;

-- name: CountUnfinishedTasks :many
-- By status, with the time of the oldest. Uses bulk_tasks_unfinished_idx.
select t.status, count(*) as tasks, min(t.created_at)::timestamptz as oldest from (
    select status, created_at from bulk_tasks where status in ('pending', 'processing')
    limit @up_to) as t
group by t.status;

-- name: CountFailedMessages :one
-- Uses messages_unsent_idx.
select count(*) from (select from messages where status = 'failed' limit @up_to) as m;

-- name: CountWrittenMessages :one
-- Uses messages_unsent_idx.
select count(*) from (select from messages where status = 'written' limit @up_to) as m;

-- name: InsertTask :one
-- The task is pending and has no job yet.
insert into bulk_tasks (program_id, id, card_count, by_count, initial_value, is_physical, design_template,
    expires_at, first_card_id, user_id, tokens_valid_after, created_at, counted_in)
values (@program_id, @id, @card_count, @by_count, @initial_value, @is_physical, @design_template,
    @expires_at, @first_card_id, @user_id, @tokens_valid_after, @created_at, @counted_in)
returning *;

-- name: LockBacklog :exec
-- Makes other transactions that add a task of the same merchant wait here until this
-- transaction ends.
select pg_advisory_xact_lock(hashtextextended('backlog of ' || encode(p.merchant_id, 'hex'), 0)) from programs p where p.id = $1;

-- name: CountBacklog :one
-- The number of cards of all unfinished tasks of the program's merchant. LockBacklog cannot
-- do this too: only a later statement sees the tasks that were committed during the wait. Uses
-- bulk_tasks_unfinished_program_idx.
select coalesce(sum(t.card_count), 0)::bigint as cards
from programs p
join programs o on o.merchant_id = p.merchant_id
join bulk_tasks t on t.program_id = o.id and t.status in ('pending', 'processing')
where p.id = $1;

-- name: SetTaskJob :exec
-- By primary key. This transaction must have inserted or locked the task; otherwise the
-- statement waits for the task's worker.
update bulk_tasks set job_id = @job_id where program_id = @program_id and id = @id;

-- name: FindTask :batchone
-- By primary key, without a lock; with the check of accessUnchangedSQL.
select sqlc.embed(t), (
    exists (select from users u where u.id = @user_id and u.active and u.merchant_id = @merchant_id and u.role = @role
        and u.tokens_valid_after is not distinct from sqlc.narg('tokens_valid_after')::timestamptz)
    and not exists (select from revoked_tokens r where r.id = @token_id))::boolean as access_unchanged
from bulk_tasks t where t.program_id = @program_id and t.id = @id;

-- name: FindTaskOfCards :one
-- The task that issues a card first, by the first column of the primary key, without a lock.
select * from bulk_tasks where program_id = @program_id and first_card_id = @first_card_id;

-- name: LimitLockWait :exec
-- Limits how long the statements of this transaction wait for a lock.
select set_config('lock_timeout', @wait::text, true);

-- name: LockTask :one
-- By primary key; waits for the task's worker.
select * from bulk_tasks where program_id = $1 and id = $2 for update;

-- name: LockTaskOfAnyProgram :one
-- Only a sandbox calls this: it knows only the second column of the primary key, so it reads
-- the whole table. Waits for the task's worker.
select * from bulk_tasks where id = $1 for update;

-- name: IsJobScheduled :one
-- Whether the job, by primary key, is scheduled for exactly this time.
select exists (select from river_job where id = @id and state = 'scheduled' and scheduled_at = @at::timestamptz);

-- name: FindTaskStop :one
-- Whether the task's user may still issue, and whether an operator has cancelled the task.
-- By primary keys, without a lock. A task without a user is allowed.
select (t.user_id is null or exists (
        select from users u where u.id = t.user_id and u.active and u.role = 'issuer'
        and u.tokens_valid_after is not distinct from t.tokens_valid_after))::boolean as allowed,
    exists (select from task_cancellations c where c.program_id = t.program_id and c.task_id = t.id) as cancelled
from bulk_tasks t where t.program_id = $1 and t.id = $2;

-- name: ListTasks :many
-- At most @up_to tasks that match every parameter that is not null, the latest first.
-- Without a lock.
select sqlc.embed(t), p.merchant_id from bulk_tasks t
join programs p on p.id = t.program_id
where (sqlc.narg('status')::text is null or t.status = sqlc.narg('status')::text)
  and (@merchant_id::bytea is null or p.merchant_id = @merchant_id)
  and (@user_id::bytea is null or t.user_id = @user_id)
  and (sqlc.narg('before')::timestamptz is null or t.created_at < sqlc.narg('before')::timestamptz)
order by t.created_at desc, t.id limit @up_to;

-- name: RequestCancellations :many
-- Requests the end of the named tasks or, if @ids is null, of all unfinished tasks that match
-- every parameter that is not null. Returns these tasks, including named tasks that are
-- finished. It locks no task, so it does not wait for a worker.
with chosen as materialized (
    select t.program_id, t.id, t.status in ('pending', 'processing') as unfinished from bulk_tasks t
    join programs p on p.id = t.program_id
    where (t.status in ('pending', 'processing') or @ids::uuid[] is not null)
      and (@ids::uuid[] is null or t.id = any (@ids::uuid[]))
      and (@merchant_id::bytea is null or p.merchant_id = @merchant_id)
      and (@user_id::bytea is null or t.user_id = @user_id)
), asked as (
    insert into task_cancellations (program_id, task_id, created_at)
    select c.program_id, c.id, @now from chosen c where c.unfinished
    on conflict on constraint task_cancellations_pkey do nothing
)
select t.* from bulk_tasks t join chosen c on c.program_id = t.program_id and c.id = t.id
order by t.created_at, t.id;

-- name: DeleteCancellation :exec
-- By primary key; the row may be missing.
delete from task_cancellations where program_id = $1 and task_id = $2;

-- name: CountOlderTasks :one
-- Counts older unfinished tasks of the same merchant whose job is in @queue, except those
-- that failed and wait for another attempt. Uses bulk_tasks_unfinished_idx.
select count(*) from bulk_tasks t
join programs o on o.id = t.program_id
join river_job j on j.id = t.job_id
join bulk_tasks self on (t.created_at, t.id) < (self.created_at, self.id)
join programs p on p.id = self.program_id and p.merchant_id = o.merchant_id
where self.program_id = @program_id and self.id = @task_id
  and t.status in ('pending', 'processing') and j.queue = @queue and j.state <> 'retryable';

-- name: TakeSlot :one
-- Takes one of the @slots of the program's merchant. The slot is free again when the
-- transaction or its connection ends. Does not wait; no row if all are taken.
select n::int as slot from programs p, generate_series(1, @slots::int) n
where p.id = @program_id and pg_try_advisory_xact_lock(hashtextextended('bulk task of ' || encode(p.merchant_id, 'hex'), n))
limit 1;

-- name: StartTask :one
-- Sets an unfinished task to processing and counts the attempt; no row if it is finished.
-- Waits for the task's worker.
update bulk_tasks set status = 'processing', attempts = attempts + 1
where program_id = $1 and id = $2 and status in ('pending', 'processing')
returning attempts, card_count;

-- name: GiveBackAttempt :exec
-- By primary key; changes nothing unless the task is processing and has an attempt. Waits
-- for the task's worker.
update bulk_tasks set attempts = attempts - 1
where program_id = $1 and id = $2 and status = 'processing' and attempts > 0;

-- name: CompleteTask :execrows
-- By primary key. No row if the task is finished already.
update bulk_tasks set status = 'completed', completed_at = @completed_at::timestamptz
where program_id = @program_id and id = @id and status in ('pending', 'processing');

-- name: FailTask :execrows
-- No row if the task is finished already.
update bulk_tasks set status = 'failed', error = @error::text, completed_at = @completed_at::timestamptz
where program_id = @program_id and id = @id and status in ('pending', 'processing');

-- name: LockAbandonedTasks :many
-- Locks the unfinished tasks that no worker works on, oldest first. A worker locks the row
-- while it writes cards, so the row of such a task is not locked; and its job has ended, is
-- gone, or began more than @grace ago. Uses bulk_tasks_unfinished_idx. not_before comes from
-- the job, where a sandbox sets it; a new job must get it too.
select sqlc.embed(t),
    coalesce((select j.args ->> 'not_before' from river_job j where j.id = t.job_id), 'epoch')::timestamptz as not_before
from bulk_tasks t
where t.status in ('pending', 'processing')
  and not exists (
    select from river_job j where j.id = t.job_id
    and (j.state in ('available', 'pending', 'retryable', 'scheduled')
      or j.state = 'running' and j.attempted_at > now() - @grace::interval))
order by t.created_at limit @batch
for update of t skip locked;

-- name: InsertRecipients :exec
-- One chunk. Fails on task_recipients_pkey if a chunk begins at the same position.
insert into task_recipients (program_id, task_id, first, recipients) values (@program_id, @task_id, @first, @recipients);

-- name: FindRecipients :one
-- By primary key.
select recipients from task_recipients where program_id = $1 and task_id = $2 and first = $3;

-- name: DeleteRecipients :exec
-- Deletes all chunks of a task, by the first columns of the primary key.
delete from task_recipients where program_id = $1 and task_id = $2;

-- name: DeleteFinishedTasks :one
-- Deletes at most @batch tasks, oldest first, and cancellations that came too late. Uses
-- bulk_tasks_finished_idx.
with deleted as (
    delete from bulk_tasks where (program_id, id) in (
        select t.program_id, t.id from bulk_tasks t
        where t.status in ('completed', 'failed') and t.created_at < @before::timestamptz
        order by t.created_at limit @batch for update skip locked)
    returning program_id, id
), cancelled as (
    delete from task_cancellations c using deleted d where c.program_id = d.program_id and c.task_id = d.id
)
select count(*) from deleted;

-- name: FindPrintedTask :one
-- A task by its id alone, with its program and the name of its merchant. Reads the whole
-- table, without a lock.
select sqlc.embed(t), sqlc.embed(p), m.name as merchant_name from bulk_tasks t
join programs p on p.id = t.program_id join merchants m on m.id = p.merchant_id where t.id = $1;

-- name: ListCardsOfRange :many
-- By primary key, in the order of the request, without a lock.
select * from gift_cards where program_id = @program_id and id between @first_id and @last_id order by id;

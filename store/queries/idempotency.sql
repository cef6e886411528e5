-- name: ClaimKey :execrows
-- One row if the key was free, none if it is taken. Waits for a concurrent transaction that
-- has claimed the key: if it commits, the key is taken; if it fails, the key is free.
insert into idempotency_keys (program_id, operation, key, subject, request_hash, status, answer, created_at)
values (@program_id, @operation, @key, @subject, @request_hash, 0, ''::bytea, @created_at)
on conflict on constraint idempotency_keys_pkey do nothing;

-- name: FindKey :one
-- ClaimKey cannot do this too: only a later statement sees an answer that was committed while
-- ClaimKey waited.
select request_hash, status, answer from idempotency_keys
where program_id = @program_id and operation = @operation and key = @key and subject = @subject;

-- name: KeyHasAnswer :one
-- By primary key, without a lock. A claimed key has an answer once it is committed.
select exists (select from idempotency_keys where program_id = @program_id and operation = @operation and key = @key and subject = @subject) as has_answer;

-- name: SetKeyAnswer :exec
-- By primary key. This transaction must have claimed the key.
update idempotency_keys set status = @status, answer = @answer
where program_id = @program_id and operation = @operation and key = @key and subject = @subject;

-- name: DeleteExpiredKeys :execrows
-- Deletes at most @batch keys, oldest first.
delete from idempotency_keys where (program_id, operation, key, subject) in (
    select k.program_id, k.operation, k.key, k.subject from idempotency_keys k
    where k.created_at < @before::timestamptz order by k.created_at limit @batch for update skip locked
);

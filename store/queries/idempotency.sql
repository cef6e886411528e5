-- name: ClaimKey :execrows
-- One row if the key was free; none if it is taken. Waits for a concurrent
-- request with the key: none once that one commits, one if it fails.
insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
values (@program_id, @operation, @key, @request_hash, 0, ''::bytea, @created_at)
on conflict on constraint idempotency_keys_pkey do nothing;

-- name: FindKey :one
-- Must be a statement of its own, after ClaimKey: it sees what committed meanwhile.
select request_hash, status, answer from idempotency_keys
where program_id = $1 and operation = $2 and key = $3;

-- name: KeyHasAnswer :one
-- By primary key, without a lock. A claimed key has an answer once it is committed.
select exists (select from idempotency_keys where program_id = $1 and operation = $2 and key = $3) as has_answer;

-- name: SetKeyAnswer :exec
-- By primary key, of a key that this transaction has claimed.
update idempotency_keys set status = @status, answer = @answer
where program_id = @program_id and operation = @operation and key = @key;

-- name: DeleteExpiredKeys :execrows
-- Oldest first, bounded by @batch.
delete from idempotency_keys where (program_id, operation, key) in (
    select k.program_id, k.operation, k.key from idempotency_keys k
    where k.created_at < @before::timestamptz order by k.created_at limit @batch for update skip locked
);

-- name: DeleteOldCodeFailures :execrows
-- Deletes at most @batch rows, oldest first. Uses code_failures_last_at_idx.
delete from code_failures where number_hash in (
    select f.number_hash from code_failures f
    where f.last_at < @before::timestamptz order by f.last_at limit @batch for update skip locked
);

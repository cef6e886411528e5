-- name: FindKeyCheck :one
-- No row if no server has used the database yet.
select sealed from key_checks;

-- name: InsertKeyCheck :exec
-- Keeps the row if there is one.
insert into key_checks (sealed) values ($1) on conflict do nothing;

-- name: SetKeyCheck :exec
-- Changes nothing if there is no row. Needs the lock of LockReseal.
update key_checks set sealed = $1;

-- name: FindReseal :one
-- Without a lock; no row if no server has begun.
select * from reseals;

-- name: LockReseal :one
-- No row if there is none, or if another server has locked it.
select * from reseals for update skip locked;

-- name: InsertReseal :exec
-- Keeps the row if there is one.
insert into reseals (key_id, first_seen_at, pass_began_at) values (@key_id, @now, @now) on conflict do nothing;

-- name: UpdateReseal :exec
-- LockReseal must have locked the row.
update reseals set key_id = @key_id, first_seen_at = @first_seen_at, pass_began_at = @pass_began_at,
    program_id = @program_id, card_id = @card_id, resealed = @resealed, finished_at = sqlc.narg('finished_at');

-- name: ListSealedCodes :many
-- The codes after a card, in the order of the primary key. Takes no lock: see SetSealedCodes.
select program_id, id, sealed_code from gift_cards
where (program_id, id) > (@program_id::bytea, @card_id::bytea)
order by program_id, id limit @batch;

-- name: SetSealedCodes :execrows
-- By primary key. updated_at stays, because the card itself does not change. A card that got
-- another code since @old_codes were read keeps the new one.
update gift_cards c set sealed_code = n.sealed_code
from (select unnest(@program_ids::bytea[]) as program_id, unnest(@card_ids::bytea[]) as id,
    unnest(@old_codes::bytea[]) as old_code, unnest(@sealed_codes::bytea[]) as sealed_code) n
where c.program_id = n.program_id and c.id = n.id and c.sealed_code = n.old_code;

-- name: AddKeyUses :exec
-- Adds to the counts of keys. The keys must be sorted, so that servers cannot deadlock.
insert into key_uses as u (key_id, sealed)
select unnest(@key_ids::bigint[]), unnest(@sealed::bigint[])
on conflict on constraint key_uses_pkey do update set sealed = u.sealed + excluded.sealed;

-- name: ListKeyUses :many
-- Without a lock, in the order of ids.
select key_id, sealed from key_uses order by key_id;

-- name: FindKeyUses :one
-- 0 for a key that has sealed nothing.
select coalesce(max(sealed), 0)::bigint from key_uses where key_id = @key_id;

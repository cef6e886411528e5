-- name: FindKeyCheck :one
-- The one row; none if no server has worked with the database.
select sealed from key_checks;

-- name: InsertKeyCheck :exec
-- Keeps the first.
insert into key_checks (sealed) values ($1) on conflict do nothing;

-- name: SetKeyCheck :exec
-- The one row; changes nothing if there is none. Needs the lock of reseals, as codes do.
update key_checks set sealed = $1;

-- name: FindReseal :one
-- The one row, without a lock; none if no server has begun.
select * from reseals;

-- name: LockReseal :one
-- The one row; none if it is not there, or another server has it just now.
select * from reseals for update skip locked;

-- name: InsertReseal :exec
-- Keeps the first.
insert into reseals (key_id, first_seen_at, pass_began_at) values (@key_id, @now, @now) on conflict do nothing;

-- name: UpdateReseal :exec
-- The one row, which LockReseal has locked.
update reseals set key_id = @key_id, first_seen_at = @first_seen_at, pass_began_at = @pass_began_at,
    program_id = @program_id, card_id = @card_id, resealed = @resealed, finished_at = sqlc.narg('finished_at');

-- name: ListSealedCodes :many
-- The codes after a card, in the order of the primary key. Takes no lock: codes
-- are changed under the lock of reseals alone.
select program_id, id, sealed_code from gift_cards
where (program_id, id) > (@program_id::bytea, @card_id::bytea)
order by program_id, id limit @batch;

-- name: SetSealedCodes :exec
-- By primary key; updated_at is the card's, and stays.
update gift_cards c set sealed_code = n.sealed_code
from (select unnest(@program_ids::bytea[]) as program_id, unnest(@card_ids::bytea[]) as id, unnest(@sealed_codes::bytea[]) as sealed_code) n
where c.program_id = n.program_id and c.id = n.id;

-- name: AddKeyUses :exec
-- Adds to what each key has sealed. Keys come in order of
-- their ids, so that servers do not wait for each other in a circle.
insert into key_uses as u (key_id, sealed)
select unnest(@key_ids::bigint[]), unnest(@sealed::bigint[])
on conflict on constraint key_uses_pkey do update set sealed = u.sealed + excluded.sealed;

-- name: ListKeyUses :many
select key_id, sealed from key_uses order by key_id;

-- name: FindKeyUses :one
-- 0 for a key that has sealed nothing.
select coalesce(max(sealed), 0)::bigint from key_uses where key_id = @key_id;

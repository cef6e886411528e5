-- name: InsertWorld :exec
-- Fails on worlds_pkey if there is a world with the name. Waits for a transaction that is
-- inserting one.
insert into worlds (name, merchant_id, program_id, neighbour_id, created_at)
values (@name, @merchant_id, @program_id, @neighbour_id, @created_at);

-- name: FindWorld :one
-- By primary key, without a lock; no row if there is no such world.
select * from worlds where name = $1;

-- name: CountWorlds :one
-- All worlds, without a lock.
select count(*) from worlds;

-- name: ListWorlds :many
-- All worlds by name, without a lock.
select * from worlds order by name;

-- name: ListUsersOfMerchants :many
-- Oldest first, and users of the same time by role and address. Reads the whole table, without
-- a lock.
select * from users where merchant_id = any (@merchants::bytea[]) order by created_at, role, email;

-- name: LockUsersOfMerchants :exec
-- LockUser for all users of the merchants, in the order of their ids.
select pg_advisory_xact_lock(hashtextextended('user ' || encode(u.id, 'hex'), 0))
from (select o.id from users o where o.merchant_id = any (@merchants::bytea[]) order by o.id) u;

-- name: EndUsersOfMerchants :exec
-- Deactivates all users of the merchants. Ends their tokens as SetPassword does.
update users set active = false,
    tokens_valid_after = greatest(@tokens_valid_after::timestamptz, tokens_valid_after + interval '1 second')
where merchant_id = any (@merchants::bytea[]);

-- name: FindIDsOfMerchants :many
-- The ids of the merchants' programs and users. Reads both tables.
select p.id from programs p where p.merchant_id = any (@merchants::bytea[])
union all
select u.id from users u where u.merchant_id = any (@merchants::bytea[]);

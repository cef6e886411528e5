-- name: FindAccess :batchone
-- Who a token stands for, whether it was revoked, and whose the program is (its
-- columns are null if there is no such program). By primary keys; one row, or
-- none if the user is gone.
select u.id as user_id, u.merchant_id, u.email, u.name, u.active, u.role, u.tokens_valid_after,
       exists (select from revoked_tokens r where r.id = @token_id) as revoked,
       p.id as program_id, p.merchant_id as program_merchant_id, m.name as program_merchant_name
from users u
left join programs p on p.id = @program_id
left join merchants m on m.id = p.merchant_id
where u.id = @user_id;

-- name: RevokeToken :exec
-- Idempotent.
insert into revoked_tokens (id, expires_at) values ($1, $2)
on conflict on constraint revoked_tokens_pkey do nothing;

-- name: DeleteExpiredTokens :execrows
-- Oldest first, bounded by @batch.
delete from revoked_tokens where id in (
    select t.id from revoked_tokens t where t.expires_at < @now::timestamptz order by t.expires_at limit @batch for update skip locked
);

-- name: InsertMerchant :exec
-- Names need not differ.
insert into merchants (id, name, created_at) values ($1, $2, $3);

-- name: ListMerchants :many
-- All, in the order of the primary key: oldest first. Without a lock.
select * from merchants order by id;

-- name: InsertUser :exec
-- Fails on users_email_key if the address is taken, by whatever merchant.
insert into users (id, merchant_id, email, name, password_hash, role, created_at)
values (@id, @merchant_id, @email, @name, @password_hash, @role, @created_at);

-- name: ListUsers :many
-- All, of every merchant, in the order of the primary key: oldest first. Without a
-- lock.
select * from users order by id;

-- name: FindUserByEmail :one
-- By users_email_key, in lower case as it is stored; without a lock. No row if nobody
-- has the address.
select * from users where email = $1;

-- name: SetPassword :one
-- Tokens given before @tokens_valid_after are of no use from now on. By
-- users_email_key; no row if nobody has the address.
update users set password_hash = @password_hash, tokens_valid_after = @tokens_valid_after::timestamptz
where email = @email returning *;

-- name: SetUserActive :one
-- Tokens given before @tokens_valid_after are of no use from now on. By
-- users_email_key; no row if nobody has the address.
update users set active = @active, tokens_valid_after = @tokens_valid_after::timestamptz
where email = @email returning *;

-- name: SetUserRole :one
-- By users_email_key; no row if nobody has the address. Waits for whoever else changes
-- the user.
update users set role = @role where email = @email returning *;

-- name: InsertProgram :exec
-- Fails on programs_merchant_id_fkey if there is no such merchant.
insert into programs (id, merchant_id, name, created_at, time_zone) values (@id, @merchant_id, @name, @created_at, @time_zone);

-- name: SetProgramZone :one
-- By primary key; no row if there is no such program.
update programs set time_zone = @time_zone where id = @id returning *;

-- name: ListPrograms :many
-- All, of every merchant, in the order of the primary key: oldest first. Without a
-- lock.
select * from programs order by id;

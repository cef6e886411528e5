-- name: FindAccess :one
-- The user of a token, whether the token was revoked, and the program with its merchant
-- (null if there is no such program). By primary keys; no row if there is no such user.
select u.id as user_id, u.merchant_id, u.email, u.name, u.active, u.role, u.tokens_valid_after,
       exists (select from revoked_tokens r where r.id = @token_id) as revoked,
       p.id as program_id, p.merchant_id as program_merchant_id, m.name as program_merchant_name
from users u
left join programs p on p.id = @program_id
left join merchants m on m.id = p.merchant_id
where u.id = @user_id;

-- name: FindLinkHolder :one
-- The properties that decide whether a user may still read the codes of a program's cards.
-- By primary keys, without a lock; no row if there is no such user or program.
select u.active, u.role, u.tokens_valid_after, u.merchant_id = p.merchant_id as same_merchant
from users u cross join programs p
where u.id = @user_id and p.id = @program_id;

-- name: ShareUser :exec
-- Prevents changes of the user until the transaction ends, and waits for a running one. It
-- takes an advisory lock, because a lock on the row needs the privilege to change users, and
-- a role that serves does not have that privilege.
select pg_advisory_xact_lock_shared(hashtextextended('user ' || encode(@id::bytea, 'hex'), 0));

-- name: LockUser :exec
-- A transaction must call this before it changes a user. It waits for the transactions that
-- have called ShareUser, and does nothing if nobody has the address.
select pg_advisory_xact_lock(hashtextextended('user ' || encode(u.id, 'hex'), 0)) from users u where u.email = @email;

-- name: RevokeToken :exec
-- Does nothing if the token is revoked already.
insert into revoked_tokens (id, expires_at) values ($1, $2)
on conflict on constraint revoked_tokens_pkey do nothing;

-- name: DeleteExpiredTokens :execrows
-- Deletes at most @batch rows that expired before a time, oldest first.
delete from revoked_tokens where id in (
    select t.id from revoked_tokens t where t.expires_at < @before::timestamptz order by t.expires_at limit @batch for update skip locked
);

-- name: InsertMerchant :exec
-- Two merchants may have the same name.
insert into merchants (id, name, created_at) values ($1, $2, $3);

-- name: ListMerchants :many
-- All, in the order of the primary key: oldest first. Without a lock.
select * from merchants order by id;

-- name: InsertUser :exec
-- Fails on users_email_key if any user has the address.
insert into users (id, merchant_id, email, name, password_hash, role, created_at)
values (@id, @merchant_id, @email, @name, @password_hash, @role, @created_at);

-- name: ListUsers :many
-- All, of every merchant, in the order of the primary key: oldest first. Without a
-- lock.
select * from users order by id;

-- name: FindUserByEmail :one
-- By users_email_key, without a lock. The address must be in lower case. No row if nobody
-- has it.
select * from users where email = $1;

-- name: FindLogin :batchone
-- The user with the address, and when they last logged in from the network (null: never, or
-- the row has expired). By users_email_key and known_logins_pkey, without a lock. No row if
-- nobody has the address.
select sqlc.embed(u), k.last_seen
from users u left join known_logins k on k.user_id = u.id and k.network = @network
where u.email = @email;

-- name: UpsertKnownLogin :exec
-- Waits for a concurrent login of the user from the network.
insert into known_logins (user_id, network, last_seen) values (@user_id, @network, @last_seen)
on conflict on constraint known_logins_pkey do update set last_seen = greatest(known_logins.last_seen, excluded.last_seen);

-- name: DeleteSurplusKnownLogins :exec
-- Deletes all rows of a user except the latest @keep. Skips rows that a concurrent login
-- has locked. By known_logins_pkey.
delete from known_logins d where d.user_id = @user_id and d.network in (
    select k.network from known_logins k where k.user_id = @user_id
    order by k.last_seen desc, k.network offset @keep for update skip locked
);

-- name: DeleteOldKnownLogins :execrows
-- Deletes at most @batch rows, oldest first. Uses known_logins_last_seen_idx.
delete from known_logins where (user_id, network) in (
    select k.user_id, k.network from known_logins k
    where k.last_seen < @before::timestamptz order by k.last_seen limit @batch for update skip locked
);

-- name: SetPassword :one
-- Ends all earlier tokens. tokens_valid_after becomes @tokens_valid_after, or one second more
-- than its present value if that is later, because a token that was given after an earlier
-- change in the same second holds the present value. Deletes the networks that the user
-- has logged in from. By users_email_key; no row if nobody has the address.
with forgotten as (
    delete from known_logins k using users o where o.email = @email and k.user_id = o.id
)
update users u set password_hash = @password_hash,
    tokens_valid_after = greatest(@tokens_valid_after::timestamptz, u.tokens_valid_after + interval '1 second')
where u.email = @email returning u.*;

-- name: SetUserActive :one
-- Ends tokens as SetPassword does. By users_email_key; no row if nobody has the
-- address.
update users set active = @active,
    tokens_valid_after = greatest(@tokens_valid_after::timestamptz, tokens_valid_after + interval '1 second')
where email = @email returning *;

-- name: SetUserRole :one
-- By users_email_key; no row if nobody has the address. Waits for a concurrent change.
update users set role = @role where email = @email returning *;

-- name: InsertProgram :exec
-- Fails on programs_merchant_id_fkey if there is no such merchant.
insert into programs (id, merchant_id, name, time_zone, created_at) values (@id, @merchant_id, @name, @time_zone, @created_at);

-- name: LockProgram :one
-- By primary key; no row if there is no such program. Waits for a concurrent change.
select * from programs where id = $1 for update;

-- name: SetProgramSettings :one
-- By primary key. Needs LockProgram.
update programs
set currency = sqlc.narg('currency'), locale = sqlc.narg('locale'), time_zone = @time_zone, activation = @activation, sender_name = sqlc.narg('sender_name'),
    reply_to = sqlc.narg('reply_to'), default_design = sqlc.narg('default_design'), till_code = @till_code, receipts = @receipts, recipient_retention = sqlc.narg('recipient_retention')
where id = @id returning *;

-- name: RenameProgram :one
-- By primary key; no row if there is no such program.
update programs set name = @name where id = @id returning *;

-- name: RenameMerchant :one
-- By primary key; no row if there is no such merchant.
update merchants set name = @name where id = @id returning *;

-- name: FindProgram :one
-- By primary key; no row if there is no such program.
select * from programs where id = $1;

-- name: FindProgramMerchant :one
-- A program and the name of its merchant, by primary keys; no row if there is no such program.
select sqlc.embed(p), m.name as merchant_name from programs p join merchants m on m.id = p.merchant_id where p.id = $1;

-- name: ListPrograms :many
-- All, of every merchant, in the order of the primary key: oldest first. Without a
-- lock.
select * from programs order by id;

-- name: ListProgramsOfMerchant :many
-- In the order of the primary key: oldest first. Reads the whole table, which is small.
select p.*, m.name as merchant_name from programs p join merchants m on m.id = p.merchant_id where p.merchant_id = $1 order by p.id;

-- name: ListReceiptPrograms :many
-- The programs that ask for receipts. Reads the whole table, which is small.
select id from programs where receipts <> '{}';

-- name: ListRemindingPrograms :many
-- Reads the whole table, which is small.
select id from programs where 'expiring' = any (receipts);

-- name: CountDueReceipts :one
-- Whether any receipt of the channel is due: 0 or 1. By receipts_due_idx.
select count(*) from (
    select from receipts r where r.status = 'scheduled' and r.channel = @channel and r.next_attempt_at <= @now::timestamptz limit 1) as due;

-- name: ClaimReceipt :one
-- Claims the receipt of the channel that has been due longest, and leaves it to the caller until
-- @lease_end. Skips receipts that others are claiming. No row if none is due. By receipts_due_idx.
-- Returns the row of before, so that the caller sees whether an attempt at it has no known end.
with due as materialized (
    select * from receipts d
    where d.status = 'scheduled' and d.channel = @channel and d.next_attempt_at <= @now::timestamptz
    order by d.next_attempt_at limit 1
    for update skip locked),
claimed as (
    update receipts r set attempts = r.attempts + 1, unconfirmed = true, next_attempt_at = @lease_end
    from due where r.program_id = due.program_id and r.card_id = due.card_id and r.kind = due.kind and r.occasion = due.occasion
        and r.channel = due.channel)
select * from due;

-- name: FindReceiptCard :one
-- A card with its program and the name of its merchant, and whether the address has refused
-- receipts of the program. By primary keys, without a lock.
select sqlc.embed(c), sqlc.embed(p), m.name as merchant_name, exists (
    select from receipt_refusals f where f.program_id = c.program_id and f.address_hash = @address_hash) as refused
from gift_cards c
join programs p on p.id = c.program_id
join merchants m on m.id = p.merchant_id
where c.program_id = @program_id and c.id = @card_id;

-- name: EndReceipt :exec
-- By primary key. Leaves a receipt that another worker has claimed meanwhile.
update receipts set status = @status, next_attempt_at = @next_attempt_at, unconfirmed = false, last_error = sqlc.narg('last_error')
where program_id = @program_id and card_id = @card_id and kind = @kind and occasion = @occasion and channel = @channel
  and status = 'scheduled' and attempts = @attempts;

-- name: QueueReminders :many
-- Queues reminders of cards that expire within a window, of programs that ask for them, and returns
-- where it stopped: at most @batch cards, by gift_cards_activated_expiry_idx. A card that has its
-- reminder already gets no other one.
with cards as materialized (
    select c.program_id, c.id, c.expires_at, c.balance, c.customer_email, c.customer_phone,
        card_state(c.status, c.activated_at, c.balance, c.expires_at, c.suspended_until, @now::timestamptz) as state
    from programs p join gift_cards c on c.program_id = p.id
    where p.id = @program_id and c.activated_at is not null
      and (c.expires_at, c.id) > (@after::timestamptz, @after_id::bytea) and c.expires_at <= @before::timestamptz
    order by c.expires_at, c.id limit @batch),
queued as (
    insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, next_attempt_at, give_up_at, created_at)
    select c.program_id, c.id, 'expiring', @days::text || ' ' || to_char(c.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), a.channel, a.address,
        0, c.balance, @now::timestamptz, @give_up_at::timestamptz, @now::timestamptz
    from cards c cross join lateral (values ('email', c.customer_email), ('sms', c.customer_phone)) as a (channel, address)
    where a.address is not null and c.state = 'active'
    on conflict on constraint receipts_pkey do nothing)
select program_id, id, expires_at from cards order by expires_at, id;

-- name: DeleteEndedReceipts :execrows
-- By receipts_ended_idx.
delete from receipts r using (
    select d.program_id, d.card_id, d.kind, d.occasion, d.channel from receipts d
    where d.status <> 'scheduled' and d.created_at < @before::timestamptz limit @batch for update skip locked) ended
where r.program_id = ended.program_id and r.card_id = ended.card_id and r.kind = ended.kind and r.occasion = ended.occasion and r.channel = ended.channel;

-- name: RefuseReceipts :exec
-- Again is no change.
insert into receipt_refusals (program_id, address_hash, created_at) values (@program_id, @address_hash, @created_at)
on conflict on constraint receipt_refusals_pkey do nothing;

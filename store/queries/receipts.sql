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
-- Returns the row as it was before, so that the caller sees whether an earlier attempt has no
-- known outcome.
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

-- name: EndReceipt :execrows
-- By primary key. Leaves a receipt that another worker has claimed meanwhile.
update receipts set status = @status, next_attempt_at = @next_attempt_at, unconfirmed = @unconfirmed, last_error = sqlc.narg('last_error')
where program_id = @program_id and card_id = @card_id and kind = @kind and occasion = @occasion and channel = @channel
  and status = 'scheduled' and attempts = @attempts;

-- name: ListReceipts :many
-- At most @up_to receipts, the latest first.
select * from receipts where status = @status and kind = any (@kinds::text[])
order by created_at desc, card_id desc, kind, occasion desc, channel limit @up_to;

-- name: RetryReceipts :many
-- Makes the receipts in @states due like new ones: those of some cards, or of all cards if
-- @card_ids is null. Leaves a receipt that a server may have accepted already.
update receipts set status = 'scheduled', attempts = 0, next_attempt_at = @now::timestamptz, give_up_at = @give_up_at::timestamptz
where status = any (@states::text[]) and kind = any (@kinds::text[]) and not unconfirmed
  and (sqlc.narg('card_ids')::bytea[] is null or card_id = any (sqlc.narg('card_ids')::bytea[]))
returning card_id;

-- name: HurryReceipts :many
-- Makes the receipts due that wait for another attempt: those of some cards, or of all cards if
-- @card_ids is null. Leaves a receipt that is being sent.
update receipts set next_attempt_at = @now::timestamptz
where status = 'scheduled' and attempts > 0 and not unconfirmed and next_attempt_at > @now and kind = any (@kinds::text[])
  and (sqlc.narg('card_ids')::bytea[] is null or card_id = any (sqlc.narg('card_ids')::bytea[]))
returning card_id;

-- name: DropReceipts :many
-- DropMessages for receipts. A user's receipts are those of the cards that the user issued: the
-- audit entry of a card has the time at which the card was made.
with found as materialized (
    select r.program_id, r.card_id, r.kind, r.occasion, r.channel,
        (r.status = 'scheduled' and r.unconfirmed and r.next_attempt_at > @now::timestamptz
            and r.next_attempt_at <= @lease_end::timestamptz)::boolean as being_sent
    from receipts r
    join programs p on p.id = r.program_id
    join gift_cards c on c.program_id = r.program_id and c.id = r.card_id
    where r.status in ('scheduled', 'failed', 'written') and r.kind = any (@kinds::text[])
      and (sqlc.narg('card_ids')::bytea[] is null or r.card_id = any (sqlc.narg('card_ids')::bytea[]))
      and (@merchant_id::bytea is null or p.merchant_id = @merchant_id)
      and (sqlc.narg('before')::timestamptz is null or c.created_at < sqlc.narg('before')::timestamptz)
      and (@task_ids::uuid[] is null or (r.program_id, substring(r.card_id from 1 for 9)) in (
          select t.program_id, substring(t.first_card_id from 1 for 9) from bulk_tasks t where t.id = any (@task_ids::uuid[])))
      and (@user_id::bytea is null or exists (
          select from audit_log a where a.at = c.created_at and a.user_id = @user_id and a.program_id = r.program_id
          and (a.subject = r.card_id
            or a.cards > 1 and octet_length(a.subject) = 12 and substring(a.subject from 1 for 9) = substring(r.card_id from 1 for 9)))
        or (r.program_id, substring(r.card_id from 1 for 9)) in (
          select t.program_id, substring(t.first_card_id from 1 for 9) from bulk_tasks t where t.user_id = @user_id))
    order by r.program_id, r.card_id, r.kind, r.occasion, r.channel
    for update of r
)
update receipts r set status = 'dropped', next_attempt_at = @now,
    last_error = case when f.being_sent then @late_reason::text else @reason::text end
from found f where r.program_id = f.program_id and r.card_id = f.card_id and r.kind = f.kind and r.occasion = f.occasion
    and r.channel = f.channel
returning r.card_id, f.being_sent;

-- name: CountDueReceiptsByKind :many
-- The due receipts of each kind, @up_to at most in all, including locked rows. By receipts_due_idx.
select d.kind, count(*) as receipts from (
    select r.kind from receipts r
    where r.status = 'scheduled' and r.channel in ('email', 'sms') and r.next_attempt_at <= @now::timestamptz limit @up_to) as d
group by d.kind;

-- name: CountFailedReceipts :many
-- By kind, @up_to at most in all. Uses receipts_failed_idx.
select f.kind, count(*) as receipts from (select kind from receipts where status = 'failed' limit @up_to) as f group by f.kind;

-- name: QueueReminders :many
-- Queues reminders of cards that expire within a window, of programs that ask for them, and returns
-- where it stopped: at most @batch cards, by gift_cards_activated_expiry_idx. A card that has the
-- reminder already does not get it again.
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
-- Does nothing if the address has refused already.
insert into receipt_refusals (program_id, address_hash, created_at) values (@program_id, @address_hash, @created_at)
on conflict on constraint receipt_refusals_pkey do nothing;

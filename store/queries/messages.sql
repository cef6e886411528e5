-- name: InsertMessage :batchexec
-- Fails on messages_pkey if the card has a message by the channel.
insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
values (@program_id, @card_id, @channel, @address, @bulk, @send_at, @next_attempt_at, @created_at);

-- name: CopyMessages :copyfrom
-- As InsertMessage, for many; all or none.
insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: CountDueMessages :one
-- At most @up_to; locked rows count too. Uses messages_due_idx.
select count(*) from (
    select from messages
    where status = 'scheduled' and channel = @channel and bulk = @bulk and next_attempt_at <= @now::timestamptz
    limit @up_to) as due;

-- name: ClaimMessage :one
-- The one that is due longest, with an attempt more and, until @lease_end, out of
-- the others' reach; no row if nothing is due. Skips what others claim just now.
-- Uses messages_due_idx.
with due as materialized (
    select d.program_id, d.card_id, d.channel from messages d
    where d.status = 'scheduled' and d.channel = @channel and d.bulk = @bulk and d.next_attempt_at <= @now::timestamptz
    order by d.next_attempt_at limit 1
    for update skip locked)
update messages m
set attempts = m.attempts + 1, unconfirmed = m.unconfirmed + 1, next_attempt_at = @lease_end,
    give_up_at = coalesce(m.give_up_at, @give_up_at::timestamptz)
from due where m.program_id = due.program_id and m.card_id = due.card_id and m.channel = due.channel
returning m.*;

-- name: FindMessageCard :one
-- A card with the name of its merchant, by primary keys, without a lock.
select sqlc.embed(c), m.name as merchant_name
from gift_cards c
join programs p on p.id = c.program_id
join merchants m on m.id = p.merchant_id
where c.program_id = $1 and c.id = $2;

-- name: SetMessageSent :execrows
-- Whoever claimed it: sent is sent. No row if it has ended. By primary key: asked
-- for "scheduled", a planner without statistics walks messages_due_idx, all that is due.
update messages set status = 'sent', sent_at = @sent_at::timestamptz, last_error = null
where program_id = @program_id and card_id = @card_id and channel = @channel
  and status not in ('sent', 'failed', 'dropped');

-- name: LockCard :exec
-- Waits for whoever else changes the card.
select from gift_cards where program_id = $1 and id = $2 for no key update;

-- name: SetCardDelivered :exec
-- If all its messages are sent. Needs the card's lock, so that of two channels
-- the later sees the earlier.
update gift_cards c set delivered = true, updated_at = @now::timestamptz
where c.program_id = @program_id and c.id = @card_id and not c.delivered and not exists (
    select from messages m where m.program_id = c.program_id and m.card_id = c.id and m.status <> 'sent');

-- name: SetMessageUnsent :execrows
-- No row if it was claimed anew since @attempt, or has ended. By primary key, as
-- SetMessageSent.
update messages
set status = @status, attempts = @attempts, unconfirmed = @unconfirmed, next_attempt_at = @next_attempt_at, last_error = @last_error
where program_id = @program_id and card_id = @card_id and channel = @channel
  and status not in ('sent', 'failed', 'dropped') and attempts = @attempt;

-- name: ListMessages :many
-- The latest first, at most @up_to.
select * from messages where status = @status order by send_at desc, card_id desc, channel limit @up_to;

-- name: RetryMessages :execrows
-- Failed ones, of @card_ids or, if that is null, all.
update messages set status = 'scheduled', attempts = 0, unconfirmed = 0, give_up_at = null, next_attempt_at = @now
where status = 'failed' and (sqlc.narg('card_ids')::bytea[] is null or card_id = any (sqlc.narg('card_ids')::bytea[]));

-- name: DeleteEndedMessages :execrows
-- Sent ones, and ones that were given up or dropped, before a time; about @batch.
-- Of each program it looks at messages of cards before @card_id only, by primary
-- key: no card is issued after its message is sent.
delete from messages m using programs p cross join lateral (
    select d.program_id, d.card_id, d.channel from messages d
    where d.program_id = p.id and d.card_id < @card_id and d.status <> 'scheduled'
      and coalesce(d.sent_at, d.give_up_at, d.next_attempt_at) < @before::timestamptz
    limit @batch for update skip locked) ended
where m.program_id = ended.program_id and m.card_id = ended.card_id and m.channel = ended.channel;

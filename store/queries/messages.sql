-- name: CountDueMessages :one
-- The number of due messages of cards that were issued at once, @up_to at most, including
-- locked rows; and when the oldest became due, @now if there is none. It reads
-- messages_due_idx twice, because one step would sort more than @up_to rows.
select (select count(*) from (
        select from messages m
        where m.status = 'scheduled' and not m.bulk and m.channel = @channel and m.next_attempt_at <= @now::timestamptz
        limit @up_to) as due) as messages,
    coalesce((
        select o.next_attempt_at from messages o
        where o.status = 'scheduled' and not o.bulk and o.channel = @channel and o.next_attempt_at <= @now::timestamptz
        order by o.next_attempt_at limit 1), @now)::timestamptz as oldest;

-- name: CountDueTaskMessages :many
-- CountDueMessages for the messages of tasks, by program in the order of ids. A program has
-- a row if it has scheduled messages, due or not. It jumps from program to program in
-- messages_task_due_idx.
with recursive programs as (
    (select m.program_id from messages m where m.status = 'scheduled' and m.bulk and m.channel = @channel
     order by m.program_id limit 1)
    union all
    select (select n.program_id from messages n where n.status = 'scheduled' and n.bulk and n.channel = @channel
            and n.program_id > p.program_id order by n.program_id limit 1)
    from programs p where p.program_id is not null
)
select p.program_id::bytea as program_id, (select count(*) from (
        select from messages m
        where m.status = 'scheduled' and m.bulk and m.channel = @channel and m.program_id = p.program_id
          and m.next_attempt_at <= @now::timestamptz
        limit @up_to) as due) as messages,
    coalesce((
        select o.next_attempt_at from messages o
        where o.status = 'scheduled' and o.bulk and o.channel = @channel and o.program_id = p.program_id
          and o.next_attempt_at <= @now::timestamptz
        order by o.next_attempt_at limit 1), @now)::timestamptz as oldest
from programs p where p.program_id is not null
order by p.program_id;

-- name: ClaimMessage :one
-- Claims the message that has been due longest, among those of cards that were issued at
-- once: counts an attempt, and leaves the message to the caller until @lease_end. Skips
-- messages that others are claiming. No row if none is due. Uses messages_due_idx.
with due as materialized (
    select d.program_id, d.card_id, d.channel, d.kind, d.sequence from messages d
    where d.status = 'scheduled' and not d.bulk and d.channel = @channel and d.next_attempt_at <= @now::timestamptz
    order by d.next_attempt_at limit 1
    for update skip locked)
update messages m
set attempts = m.attempts + 1, unconfirmed = m.unconfirmed + 1, next_attempt_at = @lease_end,
    give_up_at = coalesce(m.give_up_at, @give_up_at::timestamptz)
from due where m.program_id = due.program_id and m.card_id = due.card_id and m.channel = due.channel
    and m.kind = due.kind and m.sequence = due.sequence
returning m.*;

-- name: ClaimTaskMessage :one
-- ClaimMessage for the tasks of a program. ClaimMessage cannot do this too, because
-- PostgreSQL uses a partial index, here messages_task_due_idx, only for the condition of the
-- index.
with due as materialized (
    select d.program_id, d.card_id, d.channel, d.kind, d.sequence from messages d
    where d.status = 'scheduled' and d.bulk and d.channel = @channel and d.program_id = @program_id
      and d.next_attempt_at <= @now::timestamptz
    order by d.next_attempt_at limit 1
    for update skip locked)
update messages m
set attempts = m.attempts + 1, unconfirmed = m.unconfirmed + 1, next_attempt_at = @lease_end,
    give_up_at = coalesce(m.give_up_at, @give_up_at::timestamptz)
from due where m.program_id = due.program_id and m.card_id = due.card_id and m.channel = due.channel
    and m.kind = due.kind and m.sequence = due.sequence
returning m.*;

-- name: FindMessageCard :one
-- A card with its program and the name of its merchant. By primary keys, without a lock.
select sqlc.embed(c), sqlc.embed(p), m.name as merchant_name
from gift_cards c
join programs p on p.id = c.program_id
join merchants m on m.id = p.merchant_id
where c.program_id = $1 and c.id = $2;

-- name: SetMessageSent :execrows
-- Also if another worker has claimed the message. No row if it has ended. The condition is not
-- status = 'scheduled', because a planner without statistics would then walk through all
-- due messages instead of using the primary key.
update messages set status = 'sent', sent_at = @sent_at::timestamptz, last_error = null
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence
  and status not in ('sent', 'written', 'failed', 'dropped');

-- name: SetMessageWritten :execrows
-- SetMessageSent for a message that was only written to a file.
update messages set status = 'written', last_error = null
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence
  and status not in ('sent', 'written', 'failed', 'dropped');

-- name: LockCard :exec
-- Waits for concurrent changes of the card.
select from gift_cards where program_id = $1 and id = $2 for no key update;

-- name: SetCardDelivered :exec
-- Changes the card if the newest message is sent on each channel that the recipient has an
-- address for. Needs LockCard: if two channels end at the same time, the second one then sees
-- the first.
update gift_cards c set delivered = true, searchable = true, updated_at = greatest(c.updated_at, @now::timestamptz)
where c.program_id = @program_id and c.id = @card_id and not c.delivered and not exists (
    select from messages m where m.program_id = c.program_id and m.card_id = c.id and m.status <> 'sent'
    and (m.channel = 'email' and c.customer_email is not null or m.channel = 'sms' and c.customer_phone is not null)
    and not exists (
        select from messages n where n.program_id = m.program_id and n.card_id = m.card_id and n.channel = m.channel
        and n.sequence > m.sequence));

-- name: SetMessageUnsent :execrows
-- No row if the message was claimed again after @attempt, or has ended. By primary key, as
-- SetMessageSent. The next attempt is never before the message's time, which somebody may have
-- moved while the message was being sent.
update messages
set status = @status, attempts = @attempts, unconfirmed = @unconfirmed,
    next_attempt_at = greatest(@next_attempt_at::timestamptz, send_at), last_error = @last_error
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence
  and status not in ('sent', 'written', 'failed', 'dropped') and attempts = @attempt;

-- name: PostponeMessage :exec
-- Takes a claim back and lets the message wait. After the wait it has a whole day of attempts
-- again. Changes nothing in the cases in which SetMessageUnsent has no row.
update messages
set attempts = attempts - 1, unconfirmed = unconfirmed - 1, next_attempt_at = @next_attempt_at, give_up_at = null, last_error = @last_error
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence
  and status not in ('sent', 'written', 'failed', 'dropped') and attempts = @attempt;

-- name: ListMessages :many
-- At most @up_to messages, the latest first.
select * from messages where status = @status and kind = any (@kinds::text[]) order by send_at desc, card_id desc, channel, sequence desc limit @up_to;

-- name: ListBouncedMessages :many
-- At most @up_to messages that came back, the latest first. Uses messages_bounced_idx.
select * from messages where bounced_at is not null order by bounced_at desc, card_id desc, sequence desc limit @up_to;

-- name: SetMessageBounced :execrows
-- Records that a sent mail came back; no row if that is known already. By the first columns of
-- the primary key, because only one of a card's mails has the sequence.
update messages set bounced_at = @bounced_at::timestamptz, bounce = @bounce::text
where program_id = @program_id and card_id = @card_id and channel = 'email' and sequence = @sequence
  and status = 'sent' and bounced_at is null;

-- name: RetryMessages :many
-- Resets the messages in @states of some cards, or of all cards if @card_ids is null, to new
-- ones that are due. With @again, sent and written messages get a new Message-ID. Leaves
-- messages that a newer one over their channel has replaced, and messages that were sent to
-- an address that is not the card's any more.
update messages m
set sequence = m.sequence + case when @again::boolean and m.status in ('sent', 'written') then 1 else 0 end,
    status = 'scheduled', attempts = 0, unconfirmed = 0, give_up_at = null, sent_at = null, bounced_at = null, bounce = null, next_attempt_at = @now
where m.status = any (@states::text[]) and m.kind = any (@kinds::text[])
  and (sqlc.narg('card_ids')::bytea[] is null or m.card_id = any (sqlc.narg('card_ids')::bytea[]))
  and not exists (
    select from messages n where n.program_id = m.program_id and n.card_id = m.card_id and n.channel = m.channel
    and n.sequence > m.sequence)
  and (m.status <> 'sent' or exists (
    select from gift_cards c where c.program_id = m.program_id and c.id = m.card_id
    and m.address = case m.channel when 'email' then c.customer_email else c.customer_phone end))
returning m.card_id;

-- name: HurryMessages :many
-- Makes the messages due that wait for another attempt: those of some cards, or of all cards if
-- @card_ids is null. Leaves a message that is being sent: its lease ends before @lease_end.
update messages set next_attempt_at = @now
where status = 'scheduled' and attempts > 0 and next_attempt_at > @lease_end::timestamptz and kind = any (@kinds::text[])
  and (sqlc.narg('card_ids')::bytea[] is null or card_id = any (sqlc.narg('card_ids')::bytea[]))
returning card_id;

-- name: DropMessages :many
-- Drops the scheduled, failed and written messages that match every parameter that is not
-- null, and returns whether a sender may hold each of them now. Waits for concurrent changes.
--
-- A user's messages are those of cards in the audit log or in tasks under the user's id. An
-- audit entry has the same time as the messages that it made, so each message costs one look into
-- audit_log_at_idx. The ids of all cards of one request, and of no other cards, have the same
-- first nine bytes.
with found as materialized (
    select m.program_id, m.card_id, m.channel, m.kind, m.sequence,
        (m.status = 'scheduled' and m.unconfirmed > 0 and m.next_attempt_at > @now::timestamptz
            and m.next_attempt_at <= @lease_end::timestamptz)::boolean as being_sent
    from messages m
    join programs p on p.id = m.program_id
    where m.status in ('scheduled', 'failed', 'written') and m.kind = any (@kinds::text[])
      and (sqlc.narg('card_ids')::bytea[] is null or m.card_id = any (sqlc.narg('card_ids')::bytea[]))
      and (@merchant_id::bytea is null or p.merchant_id = @merchant_id)
      and (sqlc.narg('before')::timestamptz is null or m.created_at < sqlc.narg('before')::timestamptz)
      and (@task_ids::uuid[] is null or (m.program_id, substring(m.card_id from 1 for 9)) in (
          select t.program_id, substring(t.first_card_id from 1 for 9) from bulk_tasks t where t.id = any (@task_ids::uuid[])))
      and (@user_id::bytea is null or exists (
          select from audit_log a where a.at = m.created_at and a.user_id = @user_id and a.program_id = m.program_id
          and (a.subject = m.card_id
            or a.cards > 1 and octet_length(a.subject) = 12 and substring(a.subject from 1 for 9) = substring(m.card_id from 1 for 9)))
        or (m.program_id, substring(m.card_id from 1 for 9)) in (
          select t.program_id, substring(t.first_card_id from 1 for 9) from bulk_tasks t where t.user_id = @user_id))
    order by m.program_id, m.card_id, m.channel, m.kind, m.sequence
    for update of m
)
update messages m set status = 'dropped', next_attempt_at = @now,
    last_error = case when f.being_sent then @late_reason::text else @reason::text end
from found f where m.program_id = f.program_id and m.card_id = f.card_id and m.channel = f.channel
    and m.kind = f.kind and m.sequence = f.sequence
returning m.card_id, f.being_sent;

-- name: DeleteEndedMessages :execrows
-- Deletes at most @batch messages that were sent, written, given up or dropped before a time.
-- In each program it looks only at cards before @card_id, by primary key, because no card is
-- issued after its message has ended.
delete from messages m using (
    select e.program_id, e.card_id, e.channel, e.kind, e.sequence from programs p cross join lateral (
        select d.program_id, d.card_id, d.channel, d.kind, d.sequence from messages d
        where d.program_id = p.id and d.card_id < @card_id and d.status <> 'scheduled'
          and coalesce(d.sent_at, d.give_up_at, d.next_attempt_at) < @before::timestamptz
        limit @batch for update skip locked) e
    limit @batch) ended
where m.program_id = ended.program_id and m.card_id = ended.card_id and m.channel = ended.channel
    and m.kind = ended.kind and m.sequence = ended.sequence;

-- name: FindCardProgram :one
-- The program of a card, by the card's id alone: one look at gift_cards_pkey for each program.
-- Locks the card, and waits for concurrent changes of it.
select c.program_id from programs p join gift_cards c on c.program_id = p.id and c.id = @id
for no key update of c;

-- name: LockMessages :many
-- All messages of a card, in the order of the primary key, by which DropMessages locks too.
-- Waits for concurrent changes.
select * from messages where program_id = $1 and card_id = $2 order by channel, kind, sequence for update;

-- name: ReaddressMessage :exec
-- Resets the message to a new one with another address. By primary key.
update messages
set address = @address, sequence = sequence + case when status in ('sent', 'written') then 1 else 0 end, last_error = null,
    status = 'scheduled', attempts = 0, unconfirmed = 0, give_up_at = null, sent_at = null, bounced_at = null, bounce = null, next_attempt_at = @next_attempt_at
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence;

-- name: SetMessageAddress :exec
-- For a message that was not sent yet. By primary key.
update messages set address = @address, next_attempt_at = greatest(send_at, @now::timestamptz)
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence;

-- name: MoveMessage :exec
-- Gives a scheduled message another time, and a day of attempts from then on. If a worker may
-- be sending the message, nobody else claims it before the worker's lease ends. By primary key.
update messages
set send_at = @send_at::timestamptz, give_up_at = null,
    next_attempt_at = case when unconfirmed > 0 then greatest(next_attempt_at, @send_at::timestamptz) else @send_at::timestamptz end
where program_id = @program_id and card_id = @card_id and channel = @channel and kind = @kind and sequence = @sequence;

-- name: ReplaceMessages :exec
-- Drops the unsent messages of a card over some channels, because newer ones take their place.
-- If a sender holds one of them, it does not record its outcome.
update messages set status = 'dropped', next_attempt_at = @now,
    last_error = case when unconfirmed > 0 then @late_reason::text else @reason::text end
where program_id = @program_id and card_id = @card_id and channel = any (@channels::text[])
  and status in ('scheduled', 'failed', 'written');

-- name: HurryMessagesOfCard :exec
-- Makes the messages due whose time has come but which still wait, such as those of a suspended
-- card. Leaves a message that is being sent: its lease ends before @lease_end.
update messages set next_attempt_at = @now
where program_id = @program_id and card_id = @card_id and status = 'scheduled' and send_at <= @now and next_attempt_at > @now
  and not (unconfirmed > 0 and next_attempt_at <= @lease_end::timestamptz);

-- name: FindCodeHistory :one
-- How often a card got another security code or owner, whether it got another owner, and when
-- its code was resent after @since, the latest first. By primary key, over the entries of one
-- card.
select count(*) filter (where e.type in ('RESEND_CODE', 'OWNERSHIP_TRANSFER')) as changes,
    coalesce(bool_or(e.type = 'OWNERSHIP_TRANSFER'), false)::boolean as transferred,
    coalesce(array_agg(e.created_at order by e.id desc) filter (where e.type = 'RESEND_CODE' and e.created_at > @since::timestamptz), '{}')::timestamptz[] as resends
from ledger_entries e where e.program_id = @program_id and e.card_id = @card_id;

-- name: SetCardEmail :one
-- By primary key.
update gift_cards set customer_email = @customer_email, updated_at = @now::timestamptz
where program_id = @program_id and id = @id returning *;

-- name: SetCardPhone :one
-- By primary key.
update gift_cards set customer_phone = @customer_phone, updated_at = @now::timestamptz
where program_id = @program_id and id = @id returning *;

-- name: InsertMessageOrigin :exec
-- Makes this database the origin, unless there is one.
insert into message_origins (system, database_oid)
select c.system_identifier, d.oid::bigint from pg_control_system() c, pg_catalog.pg_database d where d.datname = current_database()
on conflict on constraint message_origins_pkey do nothing;

-- name: SetMessageOrigin :exec
-- Makes this database the origin.
update message_origins o set system = c.system_identifier, database_oid = d.oid::bigint
from pg_control_system() c, pg_catalog.pg_database d where d.datname = current_database();

-- name: IsMessageOrigin :one
-- Whether messages are sent from this database.
select exists (
    select from message_origins o, pg_control_system() c, pg_catalog.pg_database d
    where d.datname = current_database() and o.system = c.system_identifier and o.database_oid = d.oid::bigint);

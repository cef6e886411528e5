-- name: FindCardsByEmail :many
-- The cards of a recipient with a mail address, in capital or small letters, in no order. By
-- gift_cards_text_idx and gift_cards_unsearchable_idx, without a lock.
select g.* from gift_cards g
where g.searchable and (g.customer_email is not null or g.customer_name is not null)
  and search_grams(lower(coalesce(g.customer_email, '') || E'\n' || coalesce(g.customer_name, ''))) @> rarest_grams(lower(@address::text))
  and lower(g.customer_email) = lower(@address)
union all
select n.* from gift_cards n where not n.searchable and lower(n.customer_email) = lower(@address);

-- name: FindCardsByPhone :many
-- The cards of a recipient with a telephone number, in no order. By gift_cards_phone_idx and
-- gift_cards_unsearchable_idx, without a lock.
select g.* from gift_cards g where g.searchable and g.customer_phone = @phone::text
union all
select n.* from gift_cards n where not n.searchable and n.customer_phone = @phone;

-- name: FindMessagesTo :many
-- The messages to an address, in capital or small letters, the earliest first. It finds
-- ended messages by messages_address_idx. For the others it reads all of messages_due_idx and
-- messages_task_due_idx. It takes no lock.
select e.* from messages e where e.status <> 'scheduled' and lower(e.address) = lower(@address::text)
union all
select r.* from messages r where r.status = 'scheduled' and not r.bulk and lower(r.address) = lower(@address)
union all
select t.* from messages t where t.status = 'scheduled' and t.bulk and lower(t.address) = lower(@address)
order by send_at, card_id, channel, sequence;

-- name: EraseRecipients :many
-- Erases the recipients of the cards that still have the address, and deletes the messages of
-- these cards to any address of theirs, and their receipts. Locks the cards in the order of the primary key.
-- Returns the addresses that each card had, and whether one of its messages or receipts was being sent.
with asked as (
    select unnest(@program_ids::bytea[]) as program_id, unnest(@card_ids::bytea[]) as id
), erased as materialized (
    select c.program_id, c.id, c.customer_email, c.customer_phone
    from asked a join gift_cards c on c.program_id = a.program_id and c.id = a.id
    where lower(c.customer_email) = lower(@address::text) or c.customer_phone = @address
    order by c.program_id, c.id for no key update of c
), deleted as (
    delete from messages m using erased e
    where m.program_id = e.program_id and m.card_id = e.id and lower(m.address) in (lower(e.customer_email), e.customer_phone)
    returning m.program_id, m.card_id, m.status = 'scheduled' and m.unconfirmed > 0 and m.next_attempt_at > @now::timestamptz as being_sent
), unreceipted as (
    delete from receipts r using erased e where r.program_id = e.program_id and r.card_id = e.id
    returning r.program_id, r.card_id, r.status = 'scheduled' and r.unconfirmed and r.next_attempt_at > @now as being_sent
), changed as (
    update gift_cards c
    set customer_email = null, customer_phone = null, customer_name = null, sender_name = null, custom_message = null,
        updated_at = greatest(c.updated_at, @now::timestamptz), searchable = true
    from erased e where c.program_id = e.program_id and c.id = e.id
)
select e.program_id, e.id, e.customer_email, e.customer_phone, count(d.card_id) as messages,
    (coalesce(bool_or(d.being_sent), false)
        or exists (select from unreceipted u where u.program_id = e.program_id and u.card_id = e.id and u.being_sent))::boolean as being_sent
from erased e left join deleted d on d.program_id = e.program_id and d.card_id = e.id
group by 1, 2, 3, 4 order by 1, 2;

-- name: DeleteMessagesTo :many
-- Deletes the messages to an address, in capital or small letters, and those that were made
-- together with them, which went to the same person over the other channel. Returns whether a
-- sender may hold each of them now. It uses the indexes of FindMessagesTo, and locks in the order
-- of the primary key, as DropMessages does.
with addressed as materialized (
    select e.program_id, e.card_id, e.created_at from messages e where e.status <> 'scheduled' and lower(e.address) = lower(@address::text)
    union
    select r.program_id, r.card_id, r.created_at from messages r where r.status = 'scheduled' and not r.bulk and lower(r.address) = lower(@address)
    union
    select t.program_id, t.card_id, t.created_at from messages t where t.status = 'scheduled' and t.bulk and lower(t.address) = lower(@address)
), found as materialized (
    select m.program_id, m.card_id, m.channel, m.kind, m.sequence
    from addressed a join messages m on m.program_id = a.program_id and m.card_id = a.card_id and m.created_at = a.created_at
    order by m.program_id, m.card_id, m.channel, m.kind, m.sequence for update of m
)
delete from messages m using found f
where m.program_id = f.program_id and m.card_id = f.card_id and m.channel = f.channel and m.kind = f.kind and m.sequence = f.sequence
returning m.card_id, (m.status = 'scheduled' and m.unconfirmed > 0 and m.next_attempt_at > @now::timestamptz)::boolean as being_sent;

-- name: FindReceiptsTo :many
-- The receipts to an address, in capital or small letters, the earliest first. It finds
-- ended receipts by receipts_address_idx. For the others it reads all of receipts_due_idx. It takes
-- no lock.
select e.* from receipts e where e.status <> 'scheduled' and lower(e.address) = lower(@address::text)
union all
select w.* from receipts w where w.status = 'scheduled' and lower(w.address) = lower(@address)
order by created_at, card_id, kind, occasion, channel;

-- name: FindRefusals :many
-- The programs whose receipts an address has refused, the earliest refusal first. It reads the whole
-- table, without a lock.
select program_id, created_at from receipt_refusals where address_hash = @address_hash order by created_at, program_id;

-- name: DeleteReceiptsTo :many
-- Deletes the receipts to an address, in capital or small letters, and returns the cards of those
-- that were being sent. It uses the indexes of FindReceiptsTo.
with deleted as (
delete from receipts r using (
    select e.program_id, e.card_id, e.kind, e.occasion, e.channel from receipts e where e.status <> 'scheduled' and lower(e.address) = lower(@address::text)
    union all
    select w.program_id, w.card_id, w.kind, w.occasion, w.channel from receipts w where w.status = 'scheduled' and lower(w.address) = lower(@address)) found
where r.program_id = found.program_id and r.card_id = found.card_id and r.kind = found.kind and r.occasion = found.occasion and r.channel = found.channel
returning r.card_id, r.status = 'scheduled' and r.unconfirmed and r.next_attempt_at > @now::timestamptz as being_sent
)
select distinct card_id from deleted where being_sent;

-- name: ListWaitingRecipients :many
-- The chunks of recipients of all unfinished tasks, without the recipients. Without a lock.
select program_id, task_id, first from task_recipients order by program_id, task_id, first;

-- name: LockRecipients :one
-- FindRecipients with a lock: nobody else changes the chunk until this transaction ends, but a
-- worker may read it.
select recipients from task_recipients where program_id = $1 and task_id = $2 and first = $3 for update;

-- name: SetRecipients :exec
-- By primary key.
update task_recipients set recipients = @recipients where program_id = @program_id and task_id = @task_id and first = @first;

-- name: AwaitTask :exec
-- Waits for the task's worker, and lets it go on. By primary key.
select from bulk_tasks where program_id = $1 and id = $2 for key share;

-- name: FindAnswersWith :many
-- The stored answers that have one of the texts, which are in the form of JSON and escaped for
-- like, in capital or small letters. It reads the whole table, without a lock. Most answers are
-- left out by @spellings, patterns that each spelling of the texts has, because lower costs ten
-- times as much. The condition is there twice: the first one lets PostgreSQL expect few rows and
-- read with several processes, the second one decides whether lower is called. Without the
-- collation lower would know the letters of ASCII only, because convert_from takes the collation
-- "C" from the name of the encoding.
select program_id, operation, key, subject, answer, created_at from idempotency_keys
where answer like any (@spellings::bytea[]) and case when answer like any (@spellings::bytea[])
    then lower(convert_from(answer, 'UTF8') collate "default") like any (array(select '%' || lower(t) || '%' from unnest(@texts::text[]) as t))
    else false end
order by created_at, operation, key, subject;

-- name: ListRetentions :many
-- The programs that keep the data of recipients for a limited time, and until when the
-- recipients of expired cards are erased in them: no card expires before its program is made.
select p.id, p.recipient_retention::interval as kept_for, coalesce(e.expired_until, p.created_at)::timestamptz as expired_until
from programs p left join recipient_erasures e on e.program_id = p.id
where p.recipient_retention is not null order by p.id;

-- name: EraseEndedRecipients :execrows
-- Erases the recipients of at most @batch cards of a program that were spent or voided and not
-- changed after @before, and deletes the messages and receipts of these cards. Uses gift_cards_ended_idx.
-- Cards that are locked are left for the next time.
with ended as materialized (
    select c.program_id, c.id from gift_cards c
    where c.program_id = @program_id and c.updated_at <= @before::timestamptz
      and (c.status = 'voided' or c.activated_at is not null and c.balance = 0)
      and num_nonnulls(c.customer_email, c.customer_phone, c.customer_name, c.sender_name, c.custom_message) > 0
    order by c.updated_at limit @batch for no key update skip locked
), deleted as (
    delete from messages m using ended e where m.program_id = e.program_id and m.card_id = e.id
), unreceipted as (
    delete from receipts r using ended e where r.program_id = e.program_id and r.card_id = e.id
)
update gift_cards c
set customer_email = null, customer_phone = null, customer_name = null, sender_name = null, custom_message = null, updated_at = @now::timestamptz, searchable = true
from ended e where c.program_id = e.program_id and c.id = e.id;

-- name: EraseExpiredRecipients :execrows
-- EraseEndedRecipients for cards that expired after @since and until @before. Uses
-- gift_cards_expires_at_idx. It waits for cards that are locked, because nobody looks at
-- them a second time.
with ended as materialized (
    select c.program_id, c.id from gift_cards c
    where c.program_id = @program_id and c.expires_at > @since::timestamptz and c.expires_at <= @before::timestamptz
      and num_nonnulls(c.customer_email, c.customer_phone, c.customer_name, c.sender_name, c.custom_message) > 0
    order by c.id limit @batch for no key update
), deleted as (
    delete from messages m using ended e where m.program_id = e.program_id and m.card_id = e.id
), unreceipted as (
    delete from receipts r using ended e where r.program_id = e.program_id and r.card_id = e.id
)
update gift_cards c
set customer_email = null, customer_phone = null, customer_name = null, sender_name = null, custom_message = null, updated_at = @now::timestamptz, searchable = true
from ended e where c.program_id = e.program_id and c.id = e.id;

-- name: SetErasedUntil :exec
-- Never goes back.
insert into recipient_erasures (program_id, expired_until) values (@program_id, @expired_until)
on conflict on constraint recipient_erasures_pkey do update
set expired_until = greatest(recipient_erasures.expired_until, excluded.expired_until);

-- name: RedactAnswer :exec
-- By primary key. The key may have expired.
update idempotency_keys set answer = @answer
where program_id = @program_id and operation = @operation and key = @key and subject = @subject;

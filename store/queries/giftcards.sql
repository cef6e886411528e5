-- name: CreateGiftCard :one
-- Writes a card, its messages, its entry in the audit log and, if the request has a
-- key, the key with its answer: all of it, or nothing if the access it is done for
-- has changed (not allowed), the program or the user has a limit (limited), or the key
-- is taken (not created). Waits for a concurrent request with the key. Fails on gift_cards_card_number_key if the number is taken.
-- See createCardsSQL, the same for many.
with allowed as materialized (
    select from users u where u.id = @user_id and u.active and u.merchant_id = @merchant_id and u.role = @role
        and u.tokens_valid_after is not distinct from sqlc.narg('tokens_valid_after')::timestamptz
        and not exists (select from revoked_tokens r where r.id = @token_id)
), limited as materialized (
    select from issuing_limits l where l.scope in (@program_id, @user_id)
), claimed as (
    insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
    select @program_id, @operation, sqlc.narg('key'), @request_hash, @status, @answer, @created_at
    where sqlc.narg('key')::text is not null and exists (select from allowed) and not exists (select from limited)
    on conflict on constraint idempotency_keys_pkey do nothing
    returning key
), card as (
    insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
        customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at)
    select @program_id, @id, @card_number, @sealed_code, @initial_value, @is_physical, @design_template,
        @customer_email, @customer_phone, @customer_name, @sender_name, @custom_message, @deliver_at, @expires_at, @created_at
    where exists (select from allowed) and not exists (select from limited) and (sqlc.narg('key')::text is null or exists (select from claimed))
    returning program_id, id, customer_email, customer_phone, deliver_at, created_at
), message as (
    insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
    select c.program_id, c.id, m.channel, m.address, false,
        greatest(c.deliver_at, c.created_at), greatest(c.deliver_at, c.created_at), c.created_at
    from card c cross join lateral (values ('email', c.customer_email), ('sms', c.customer_phone)) as m (channel, address)
    where m.address is not null
), entry as (
    insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id, client_request_id)
    select @created_at, @operation, @user_id, @merchant_id, @program_id, @id, 1, @client, @request_id, @client_request_id
    where exists (select from card)
)
select exists (select from allowed) as allowed, exists (select from limited) as limited, exists (select from card) as created;

-- name: InsertGiftCard :batchone
-- No row if the card number is taken; waits for a concurrent insert of the same
-- number to end.
insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
    customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at)
values (@program_id, @id, @card_number, @sealed_code, @initial_value, @is_physical, @design_template,
    @customer_email, @customer_phone, @customer_name, @sender_name, @custom_message, @deliver_at, @expires_at, @created_at)
on conflict on constraint gift_cards_card_number_key do nothing
returning id;

-- name: CopyGiftCards :copyfrom
-- Fails on gift_cards_card_number_key if any number is taken.
insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
    customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;

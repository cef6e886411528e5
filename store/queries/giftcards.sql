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

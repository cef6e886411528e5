-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;

-- name: FindCardByNumber :one
-- The card of a program with a number. By gift_cards_card_number_key, without a lock. No row
-- if the number is unknown or of another program.
select id from gift_cards where card_number = @card_number and program_id = @program_id;

-- name: FindTransferCards :one
-- The number of a card of a program (-1 if there is none), and the id of the card with another
-- number (null if the program has none). By primary key and gift_cards_card_number_key, without
-- a lock.
select coalesce((select s.card_number from gift_cards s where s.program_id = @program_id and s.id = @source_id), -1)::bigint as source_number,
    (select d.id from gift_cards d where d.card_number = @destination_number and d.program_id = @program_id)::bytea as destination_id;

-- name: FindCardsByNumber :many
-- FindCardByNumber for several numbers, in no order.
select id, card_number from gift_cards where card_number = any (@card_numbers::bigint[]) and program_id = @program_id;

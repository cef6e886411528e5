-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;

-- name: FindCardByNumber :one
-- The card of a program with a number. By gift_cards_card_number_key, without a lock. No row
-- if the number is unknown or of another program.
select id from gift_cards where card_number = @card_number and program_id = @program_id;

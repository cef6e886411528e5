-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;

-- name: FindCardByNumber :one
-- The card of a program with a number, which is given as numberOrder. By gift_cards_number_idx,
-- without a lock. No row if the number is unknown or of another program.
select id from gift_cards
where card_number % 10000 * 1000000000000 + card_number / 10000 = @number_order::bigint and program_id = @program_id;

-- name: FindTransferCards :one
-- The number of a card of a program (-1 if there is none), and the id of the card with another
-- number, given as numberOrder (null if the program has none). By primary key and gift_cards_number_idx, without
-- a lock.
select coalesce((select s.card_number from gift_cards s where s.program_id = @program_id and s.id = @source_id), -1)::bigint as source_number,
    (select d.id from gift_cards d where d.card_number % 10000 * 1000000000000 + d.card_number / 10000 = @destination_number_order::bigint and d.program_id = @program_id)::bytea as destination_id;

-- name: FindCardsByNumber :many
-- FindCardByNumber for several numbers, in no order.
select id, card_number from gift_cards where card_number % 10000 * 1000000000000 + card_number / 10000 = any (@number_orders::bigint[]) and program_id = @program_id;

-- name: MakeSearchable :execrows
-- Puts new cards into the index of texts, about @batch of them. Cards that are locked are left
-- for the next time.
update gift_cards c set searchable = true
from (select n.program_id, n.id from gift_cards n where not n.searchable limit @batch for no key update skip locked) as new
where c.program_id = new.program_id and c.id = new.id;

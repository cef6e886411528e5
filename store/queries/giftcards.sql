-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;

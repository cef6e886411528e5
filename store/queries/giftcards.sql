-- name: FindCardTerms :one
-- By primary key.
select initial_value, expires_at from gift_cards where program_id = $1 and id = $2;


-- name: MakeSearchable :execrows
-- Puts new cards into the index of texts, about @batch of them. Cards that are locked are left
-- for the next time.
update gift_cards c set searchable = true
from (select n.program_id, n.id from gift_cards n where not n.searchable limit @batch for no key update skip locked) as new
where c.program_id = new.program_id and c.id = new.id;

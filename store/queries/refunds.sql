-- name: FindRefundable :one
-- An entry of a card, and the sum of its refunds, by ledger_entries_refunds_idx. A REFUND below
-- 0 is money that was paid out elsewhere. Its reference is a text of the caller, not the id of
-- an entry, so it does not count.
select sqlc.embed(e), (
    select coalesce(sum(r.amount), 0) from ledger_entries r
    where r.program_id = e.program_id and r.card_id = e.card_id and r.type = 'REFUND'
      and r.reference_id = encode(e.id, 'hex') and r.amount > 0)::numeric as refunded
from ledger_entries e
where e.program_id = @program_id and e.card_id = @card_id and e.id = @id;

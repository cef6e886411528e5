-- name: CountCards :exec
-- Adds cards that this session has issued to the total of the program. It never waits, because
-- each session has its own row.
insert into card_totals (program_id, session, cards) values (@program_id, pg_backend_pid(), @cards)
on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards;

-- name: TryRecount :one
-- Whether this transaction may call RecountCards. If so, no other transaction may until this
-- one ends.
select pg_try_advisory_xact_lock(hashtextextended('recount of cards', 0));

-- name: RecountCards :execrows
-- Corrects the totals of the programs whose cards are not all counted, and returns the number of
-- these programs. It reads cards and totals in one snapshot, so that a card that is issued
-- meanwhile does not seem to be missing. It reads the whole primary key. Two transactions at the
-- same time would both add the missing cards: TryRecount prevents this.
insert into card_totals (program_id, session, cards)
select c.program_id, 0, c.cards - coalesce(t.cards, 0)
from (select g.program_id, count(*) as cards from gift_cards g group by g.program_id) c
left join (select o.program_id, sum(o.cards)::bigint as cards from card_totals o group by o.program_id) t on t.program_id = c.program_id
where c.cards <> coalesce(t.cards, 0)
on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards;

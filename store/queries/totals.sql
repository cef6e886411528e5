-- name: CountCards :exec
-- Adds cards that this session has issued to the total of the program. It waits for nobody,
-- because the row is the session's own.
insert into card_totals (program_id, session, cards) values (@program_id, pg_backend_pid(), @cards)
on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards;

-- name: TryRecount :one
-- Whether this transaction may recount. No other one may until it ends.
select pg_try_advisory_xact_lock(hashtextextended('recount of cards', 0));

-- name: RecountCards :execrows
-- Sets the totals of the programs whose cards are not all counted, and returns how many these
-- are. One snapshot has the cards and the totals, so that no card that is issued meanwhile
-- counts as missing. It reads the whole primary key. Only one transaction at a time may run it,
-- because two would both add what is missing: see TryRecount.
insert into card_totals (program_id, session, cards)
select c.program_id, 0, c.cards - coalesce(t.cards, 0)
from (select g.program_id, count(*) as cards from gift_cards g group by g.program_id) c
left join (select o.program_id, sum(o.cards)::bigint as cards from card_totals o group by o.program_id) t on t.program_id = c.program_id
where c.cards <> coalesce(t.cards, 0)
on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards;

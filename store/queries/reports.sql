-- name: ReportBusiness :one
-- The figures of a program at a time. It counts used cards with gift_cards_used_idx. The number
-- of unused cards is the one in card_totals less the used ones. gift_cards_expires_at_idx leads
-- to the cards that expired unused. The balance that a consolidation gives a new card is no sale.
select totals.cards, used.active, used.depleted, used.voided,
    (used.expired + unused.expired)::bigint as expired,
    greatest(totals.cards - used.cards - unused.expired + used.pending, 0)::bigint as pending,
    used.balance, money.sold, money.redeemed, money.activated_this_month, money.sold_this_month
from (
    select coalesce(sum(t.cards), 0)::bigint as cards from card_totals t where t.program_id = @program_id
) totals, (
    select count(*) as cards,
        count(*) filter (where u.state = 'active') as active,
        count(*) filter (where u.state = 'depleted') as depleted,
        count(*) filter (where u.state = 'voided') as voided,
        count(*) filter (where u.state = 'expired') as expired,
        count(*) filter (where u.state = 'pending') as pending,
        coalesce(sum(u.balance) filter (where u.state = 'active'), 0)::numeric as balance
    from (
        select card_state(g.status, g.activated_at, g.balance, g.expires_at, g.suspended_until, @now::timestamptz) as state, g.balance
        from gift_cards g where g.program_id = @program_id and (g.activated_at is not null or g.status <> 'pending')
    ) u
) used, (
    select count(*) as expired from gift_cards g
    where g.program_id = @program_id and g.activated_at is null and g.status = 'pending' and g.expires_at <= @now::timestamptz
) unused, (
    select coalesce(sum(e.amount) filter (where e.type in ('ACTIVATION', 'RELOAD')), 0)::numeric as sold,
        -- A refund with a plus gives a redemption back; the other kind pays an expired card out.
        coalesce(-sum(e.amount) filter (where e.type = 'REDEMPTION' or e.type = 'REFUND' and e.amount > 0), 0)::numeric as redeemed,
        count(*) filter (where e.type = 'ACTIVATION' and e.created_at >= @month::timestamptz) as activated_this_month,
        coalesce(sum(e.amount) filter (where e.type in ('ACTIVATION', 'RELOAD') and e.created_at >= @month::timestamptz), 0)::numeric as sold_this_month
    from ledger_entries e where e.program_id = @program_id
) money;

-- name: ListExpiring :many
-- The active cards with a balance that expire until @until, soonest first: at most @batch cards
-- after a place in this order. By gift_cards_activated_expiry_idx.
select g.id, g.card_number, g.customer_email, g.customer_name, g.expires_at, g.balance from gift_cards g
where g.program_id = @program_id and g.activated_at is not null
  and (g.expires_at, g.id) > (@after_time::timestamptz, @after_card::bytea) and g.expires_at <= @until::timestamptz
  and g.balance > 0 and card_state(g.status, g.activated_at, g.balance, g.expires_at, g.suspended_until, @now::timestamptz) = 'active'
order by g.expires_at, g.id limit @batch;

-- name: ListDormant :many
-- The cards with a balance whose holder has not moved money since @since, in the order of ids:
-- at most @batch cards after a card. By gift_cards_used_idx. A card that was activated after
-- @since has moved money, so its entries are not read. A card that a consolidation made got its
-- balance when it was activated.
select g.id, g.card_number, g.customer_email, g.balance, coalesce(moved.at, g.activated_at)::timestamptz as moved_at from gift_cards g
cross join lateral (
    select max(e.created_at) as at from ledger_entries e
    where e.program_id = g.program_id and e.card_id = g.id
      and e.type in ('ACTIVATION', 'RELOAD', 'REDEMPTION', 'TRANSFER_IN', 'TRANSFER_OUT', 'REFUND')
) moved
where g.program_id = @program_id and g.id > @after_card::bytea and (g.activated_at is not null or g.status <> 'pending')
  and g.balance > 0 and g.activated_at <= @since::timestamptz and (moved.at is null or moved.at <= @since::timestamptz)
order by g.id limit @batch;

-- name: SumBalances :many
-- The sum of the balances of each program's cards, the largest first. Every card with a balance is in
-- gift_cards_used_idx, which PostgreSQL reads if most cards are not.
select g.program_id, sum(g.balance)::numeric as balance from gift_cards g
where g.activated_at is not null or g.status <> 'pending'
group by g.program_id order by balance desc, g.program_id;

-- name: CountIssued :many
-- Adds to the totals of the program and of the user (null: none) that have a limit, and
-- returns whether they are above it. A total stays locked until the transaction ends, so that
-- two requests cannot both take the last cards; the program's is locked before the user's.
-- @day is the day in UTC.
with asked as (
    select @program_id::bytea as program_id, @cards::bigint as cards, @card_value::numeric as card_value
), counted as (
    insert into issued_totals as t (scope, day, cards, value)
    select l.scope, @day::date, a.cards, a.cards * a.card_value
    from (values (1, @program_id::bytea), (2, sqlc.narg('user_id')::bytea)) as s (place, scope)
    join issuing_limits l on l.scope = s.scope cross join asked a
    order by s.place
    on conflict on constraint issued_totals_pkey do update set cards = t.cards + excluded.cards, value = t.value + excluded.value
    returning t.scope, t.cards, t.value
)
select c.scope, (c.scope = a.program_id)::boolean as of_program, l.cards_per_day, l.value_per_day,
    coalesce(c.cards > l.cards_per_day, false)::boolean as too_many_cards,
    coalesce(c.value > l.value_per_day, false)::boolean as too_much_value,
    greatest(l.cards_per_day - (c.cards - a.cards), 0)::bigint as cards_left,
    trim_scale(greatest(l.value_per_day - (c.value - a.cards * a.card_value), 0))::numeric as value_left
from counted c join issuing_limits l on l.scope = c.scope cross join asked a
order by of_program desc;

-- name: GiveBackIssued :exec
-- Subtracts a task from one of the two totals that it was counted in. Changes nothing if the
-- task has no such scope, or if the total has been deleted.
update issued_totals i set cards = i.cards - t.card_count, value = i.value - t.card_count * t.initial_value
from bulk_tasks t
where t.program_id = @program_id and t.id = @task_id
  and i.scope = t.counted_in[@place::integer] and i.day = (t.created_at at time zone 'utc')::date;

-- name: ListLimits :many
-- All, without a lock.
select * from issuing_limits;

-- name: SetLimits :exec
-- Null leaves a limit as it is.
insert into issuing_limits as l (scope, cards_per_day, value_per_day) values (@scope, @cards_per_day, @value_per_day)
on conflict on constraint issuing_limits_pkey do update
set cards_per_day = coalesce(excluded.cards_per_day, l.cards_per_day), value_per_day = coalesce(excluded.value_per_day, l.value_per_day);

-- name: DeleteLimits :exec
-- By primary key; the row may be missing.
delete from issuing_limits where scope = $1;

-- name: DeleteOldTotals :execrows
-- Deletes at most @batch totals, oldest first. Uses issued_totals_day_idx.
delete from issued_totals where (scope, day) in (
    select t.scope, t.day from issued_totals t where t.day < @before::date
    order by t.day limit @batch for update skip locked
);

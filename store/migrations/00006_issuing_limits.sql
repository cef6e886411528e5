-- +goose Up

-- How many cards, of what value together, may be promised a day (UTC): in a program,
-- or by a user. A scope is the id of either. Servers of an older schema do not know
-- these tables and count nothing.
create table issuing_limits (
    scope         bytea   not null,
    cards_per_day bigint, -- null: no limit
    value_per_day numeric, -- null: no limit
    constraint issuing_limits_pkey primary key (scope),
    constraint issuing_limits_scope_check check (octet_length(scope) = 12),
    constraint issuing_limits_cards_per_day_check check (cards_per_day >= 0),
    constraint issuing_limits_value_per_day_check check (value_per_day >= 0),
    constraint issuing_limits_any_check check (num_nonnulls(cards_per_day, value_per_day) > 0)
);

-- What was promised on a day by a scope that had a limit at that time.
create table issued_totals (
    scope bytea   not null,
    day   date    not null,
    cards bigint  not null,
    value numeric not null, -- of initial values
    constraint issued_totals_pkey primary key (scope, day)
);

create index issued_totals_day_idx on issued_totals (day);

-- The scopes in whose totals the task was counted on the day it was added, the
-- program before the user. A task that fails is taken out of them.
alter table bulk_tasks add column counted_in bytea[] not null default '{}';

-- +goose Down
alter table bulk_tasks drop column counted_in;
drop table issued_totals, issuing_limits;

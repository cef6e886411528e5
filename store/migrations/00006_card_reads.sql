-- +goose NO TRANSACTION
-- +goose Up

-- Indexes are built concurrently, so that cards are issued meanwhile. Every statement can be
-- run again, because a migration without a transaction may end in the middle. A killed build
-- leaves an invalid index, so each one is dropped first.

-- Issuing a card must not pay for searching it. So a card with a name or an e-mail address is
-- issued with searchable = false, and enters the large index of texts at its next change, or
-- within minutes. Until then the small index of new cards has it. If another program inserts a
-- row, the default of the column puts it into the large index at once.
alter table gift_cards add column if not exists searchable boolean not null default true;
comment on column gift_cards.searchable is 'Whether the index of names and e-mail addresses has the card; false: it is new, and a search looks at each such card.';

-- All sequences of three characters in a text, each once.
-- +goose StatementBegin
create or replace function search_grams(content text) returns text[] language sql immutable strict parallel safe as $$
    select coalesce(array_agg(distinct substr(content, i, 3)), '{}') from generate_series(1, length(content) - 2) as i
$$;
-- +goose StatementEnd

drop index concurrently if exists gift_cards_text_idx;
create index concurrently gift_cards_text_idx on gift_cards
    using gin (search_grams(lower(coalesce(customer_email, '') || E'\n' || coalesce(customer_name, ''))))
    where searchable and (customer_email is not null or customer_name is not null);
drop index concurrently if exists gift_cards_unsearchable_idx;
create index concurrently gift_cards_unsearchable_idx on gift_cards (program_id, id) where not searchable;

-- The used cards. Issuing a card does not touch these two.
drop index concurrently if exists gift_cards_used_idx;
create index concurrently gift_cards_used_idx on gift_cards (program_id, id) where activated_at is not null or status <> 'pending';
drop index concurrently if exists gift_cards_activated_expiry_idx;
create index concurrently gift_cards_activated_expiry_idx on gift_cards (program_id, expires_at, id) where activated_at is not null;

-- This index finds the pages that may have unused cards whose date has passed. It costs an
-- insert nothing, because it has one entry for many pages.
drop index concurrently if exists gift_cards_expires_at_idx;
create index concurrently gift_cards_expires_at_idx on gift_cards using brin (expires_at) with (autosummarize = on);

-- This unique index has the last four digits of a number first, so that it also finds cards by
-- these digits. It replaces the constraint gift_cards_card_number_key, because two indexes
-- would make issuing slower. The primary key gets the name of the constraint: a statement of
-- version 0.1.0, whose servers may run beside those of this version, says "on conflict on
-- constraint gift_cards_card_number_key do nothing".
drop index concurrently if exists gift_cards_number_idx;
create unique index concurrently gift_cards_number_idx on gift_cards ((card_number % 10000 * 1000000000000 + card_number / 10000));
-- +goose StatementBegin
do $$
begin
    if exists (select from pg_constraint where conrelid = 'gift_cards'::regclass and conname = 'gift_cards_pkey') then
        alter table gift_cards drop constraint gift_cards_card_number_key;
        alter table gift_cards rename constraint gift_cards_pkey to gift_cards_card_number_key;
    end if;
end $$;
-- +goose StatementEnd

-- The number of cards, because ten million rows cannot be counted within a second. Each session
-- has its own row, because sessions that issue cards must not wait for each other. The
-- statements that issue cards also count them: a trigger would make the issue of many cards
-- cost a fifth more. The statements of version 0.1.0, whose servers may run beside those of
-- this version, do not count. So servers of this version compare the sums with the cards every
-- hour.
create table if not exists card_totals (
    program_id bytea   not null,
    session    integer not null,
    cards      bigint  not null,
    constraint card_totals_pkey primary key (program_id, session)
);
comment on table card_totals is 'How many cards each program has, whatever became of them: the sum of its rows.';
comment on column card_totals.program_id is 'The program.';
comment on column card_totals.session is 'The process of the database session that issued the cards, so that no two sessions change a row at the same time; 0: cards that were not counted when they were issued, such as those from before this table.';
comment on column card_totals.cards is 'How many cards the session issued.';

-- RecountCards in store/queries does the same.
insert into card_totals (program_id, session, cards)
select c.program_id, 0, c.cards - coalesce(t.cards, 0)
from (select g.program_id, count(*) as cards from gift_cards g group by g.program_id) c
left join (select o.program_id, sum(o.cards) as cards from card_totals o group by o.program_id) t on t.program_id = c.program_id
where c.cards <> coalesce(t.cards, 0)
on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards;

alter table gift_cards validate constraint gift_cards_balance_needs_activation_check;
alter table gift_cards validate constraint gift_cards_voided_is_empty_check;

insert into schema_compatibility (schema, oldest_program) values (6, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 6;
drop table if exists card_totals;
-- +goose StatementBegin
do $$
begin
    if not exists (select from pg_constraint where conrelid = 'gift_cards'::regclass and conname = 'gift_cards_pkey') then
        alter table gift_cards rename constraint gift_cards_card_number_key to gift_cards_pkey;
        alter table gift_cards add constraint gift_cards_card_number_key unique (card_number);
    end if;
end $$;
-- +goose StatementEnd
drop index concurrently if exists gift_cards_number_idx;
drop index concurrently if exists gift_cards_expires_at_idx;
drop index concurrently if exists gift_cards_activated_expiry_idx;
drop index concurrently if exists gift_cards_used_idx;
drop index concurrently if exists gift_cards_unsearchable_idx;
drop index concurrently if exists gift_cards_text_idx;
drop function if exists search_grams(text);
alter table gift_cards drop column if exists searchable;

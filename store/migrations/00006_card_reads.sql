-- +goose NO TRANSACTION
-- +goose Up

-- Indexes are built concurrently, so that cards are issued meanwhile. Every statement can be
-- run again, because a migration without a transaction may end in the middle. A killed build
-- leaves an invalid index, so each one is dropped first.

-- Issuing a card must not pay for searching it. So a card with a name or an e-mail address is
-- issued with searchable = false, and enters the large index of texts at its next change, or
-- within an hour. Meanwhile the small index of new cards has it. A row that anything else
-- inserts is in the large one at once.
alter table gift_cards add column if not exists searchable boolean not null default true;
comment on column gift_cards.searchable is 'Whether the index of names and e-mail addresses has the card; false: it is new, and a search looks at each such card.';

-- All parts of three characters, without the same one twice.
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

-- Where cards that nobody used lie whose date may have passed. It costs an insert nothing,
-- because it has one entry for many pages.
drop index concurrently if exists gift_cards_expires_at_idx;
create index concurrently gift_cards_expires_at_idx on gift_cards using brin (expires_at) with (autosummarize = on);

-- A number is unique by an index that has the last four digits first, so that it also finds
-- cards by these. It takes the place of the constraint gift_cards_card_number_key, because a
-- second index would make issuing slower. The primary key takes the constraint's name: a
-- statement of version 0.1.0, which may run beside this one, says "on conflict on constraint
-- gift_cards_card_number_key do nothing".
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

-- How many cards there are. Ten million rows cannot be counted within a second. Each session
-- counts in a row of its own, because sessions that issue cards must not wait for each other.
-- A trigger would make issuing many cards a fifth dearer, so the statements that issue cards
-- count them. Those of version 0.1.0, which may run beside this one, do not. Servers of this
-- version compare the sums with the cards every hour.
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

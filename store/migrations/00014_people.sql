-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may run again after the migration was broken off.
alter table programs add column if not exists till_code text not null default 'qr';
-- +goose StatementBegin
do $$
begin
    if not exists (select from pg_constraint where conrelid = 'programs'::regclass and conname = 'programs_till_code_check') then
        alter table programs add constraint programs_till_code_check check (till_code in ('qr', 'code128'));
    end if;
end $$;
-- +goose StatementEnd
comment on column programs.till_code is 'The code that mails and printed cards show to the scanner of a till: qr or code128.';

-- The receipts that were given up, which metrics count and operators list.
drop index concurrently if exists receipts_failed_idx;
create index concurrently receipts_failed_idx on receipts (kind) where status = 'failed';

-- These indexes find a person by an address. A row enters them when its message has ended, or
-- when its card enters the index of texts, so that they cost nothing when cards are issued. They
-- have a hash of the address, not the address.
drop index concurrently if exists messages_address_idx;
create index concurrently messages_address_idx on messages using hash (lower(address)) where status <> 'scheduled';
drop index concurrently if exists receipts_address_idx;
create index concurrently receipts_address_idx on receipts using hash (lower(address)) where status <> 'scheduled';
drop index concurrently if exists gift_cards_phone_idx;
create index concurrently gift_cards_phone_idx on gift_cards using hash (customer_phone) where searchable and customer_phone is not null;
comment on column gift_cards.searchable is 'Whether the indexes of names and addresses have the card; false: it is new, and a search looks at each such card.';

insert into schema_compatibility (schema, oldest_program) values (14, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 14;
drop index if exists gift_cards_phone_idx;
comment on column gift_cards.searchable is 'Whether the index of names and e-mail addresses has the card; false: it is new, and a search looks at each such card.';
drop index if exists receipts_address_idx;
drop index if exists messages_address_idx;
drop index if exists receipts_failed_idx;
alter table programs drop column if exists till_code;

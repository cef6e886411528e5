-- +goose NO TRANSACTION
-- +goose Up

-- A card may have several messages over a channel: the card itself, a new security code, the
-- card for a new owner. This migration adds the column that distinguishes them, and builds the
-- index of the new primary key while requests go on; migration 5 makes it the primary key. No
-- statement locks the table while it reads millions of rows. Each statement may run again after
-- the migration was broken off.
alter table messages add column if not exists kind text not null default 'card';
alter table messages drop constraint if exists messages_kind_check,
    add constraint messages_kind_check check (kind in ('card', 'code', 'owner', 'consolidation')) not valid;
alter table messages validate constraint messages_kind_check;

-- An index that was broken off is left behind, invalid.
drop index concurrently if exists messages_kind_key;
create unique index concurrently messages_kind_key on messages (program_id, card_id, channel, kind, sequence);

insert into schema_compatibility (schema, oldest_program) values (4, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 4;
drop index concurrently if exists messages_kind_key;
alter table messages drop column if exists kind;

-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may run again after the migration was broken off.
-- Cards that were spent or voided and still have data of their recipient. Issuing a card does
-- not touch the index, and a card leaves it when its recipient is erased.
drop index concurrently if exists gift_cards_ended_idx;
create index concurrently gift_cards_ended_idx on gift_cards (program_id, updated_at)
    where (status = 'voided' or activated_at is not null and balance = 0)
      and num_nonnulls(customer_email, customer_phone, customer_name, sender_name, custom_message) > 0;

-- No card gets a date in the past. So once all cards are erased that expired before a time,
-- nobody has to look for such cards again. The time has its own table, because a server may not
-- change the table programs.
create table if not exists recipient_erasures (
    program_id    bytea       not null,
    expired_until timestamptz not null,
    constraint recipient_erasures_pkey primary key (program_id)
);
comment on table recipient_erasures is 'How far the recipients of expired cards are erased in the programs that keep them for a limited time.';
comment on column recipient_erasures.program_id is 'The program.';
comment on column recipient_erasures.expired_until is 'The recipients of cards that expired until then are erased.';

-- A mail may come back: one mail server accepts it, and the next one refuses it.
alter table messages add column if not exists bounced_at timestamptz, add column if not exists bounce text;
comment on column messages.bounced_at is 'When a mail server reported that the mail did not reach its recipient; null: nothing was reported.';
comment on column messages.bounce is 'The words of that mail server.';
-- The trigger of migration 5 prevents every change of a sent message that keeps its status.
-- From now on it lets a mail be marked as come back.
-- +goose StatementBegin
do $$
begin
    drop trigger if exists messages_of_newer_programs on messages;
    create trigger messages_of_newer_programs before update on messages
        for each row when (
            old.status <> 'scheduled' and new.status = old.status and new.bounced_at is not distinct from old.bounced_at
            or new.attempts = 0 and new.status in ('sent', 'written'))
        execute function skip_message_change();
end $$;
-- +goose StatementEnd
drop index concurrently if exists messages_bounced_idx;
create index concurrently messages_bounced_idx on messages (bounced_at) where bounced_at is not null;

insert into schema_compatibility (schema, oldest_program) values (11, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 11;
-- +goose StatementBegin
do $$
begin
    drop trigger if exists messages_of_newer_programs on messages;
    create trigger messages_of_newer_programs before update on messages
        for each row when (
            old.status <> 'scheduled' and new.status = old.status
            or new.attempts = 0 and new.status in ('sent', 'written'))
        execute function skip_message_change();
end $$;
-- +goose StatementEnd
drop index if exists messages_bounced_idx;
alter table messages drop column if exists bounced_at, drop column if exists bounce;
drop table if exists recipient_erasures;
drop index if exists gift_cards_ended_idx;

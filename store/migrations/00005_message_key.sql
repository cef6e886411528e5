-- +goose Up

-- The exchange needs the table for a moment only. Rather than let requests queue up behind it
-- while it waits for a long transaction, such as a dump, it fails, and can be run again.
set local lock_timeout = '5s';
alter table messages drop constraint messages_pkey,
    add constraint messages_pkey primary key using index messages_kind_key;
comment on table messages is 'The messages to recipients (the outbox): for each card and channel the first one, and one more for each time that the card was sent again. At most one of them is scheduled.';
comment on column messages.kind is 'What it says: card (the gift card), code (the card with a new security code), owner (the card for a new owner) or consolidation (the card that others were merged into).';
comment on column messages.sequence is 'How often the card had been sent over this channel on purpose before, in whatever kind of message; part of the Message-ID. An operator''s retry of what was sent counts it on in place.';
comment on column messages.created_at is 'When the message was made: for the first one, when the card was issued.';

-- Servers of version 0.1.0 look for messages by card and channel alone. Beside this version
-- they would do three things wrong, and this trigger leaves out the rows concerned:
--   They claim all messages of the card over the channel, and send the first one that they
--   get, perhaps to the address of an owner before. So a message that has ended stays as it
--   is, unless it changes its status, and only the scheduled one is found.
--   They record a message as sent that has replaced the one they sent. So only a message that
--   was claimed becomes sent or written.
-- Their command messages retry --sent may fail on the primary key, or send a message of before
-- once more: use the command of this version. They make no messages of other kinds.
-- A later version drops the trigger.
-- +goose StatementBegin
create function skip_message_change() returns trigger language plpgsql as $$
begin
    return null;
end $$;
-- +goose StatementEnd
create trigger messages_of_newer_programs before update on messages
    for each row when (
        old.status <> 'scheduled' and new.status = old.status
        or new.attempts = 0 and new.status in ('sent', 'written'))
    execute function skip_message_change();

insert into schema_compatibility (schema, oldest_program) values (5, 1);

-- +goose Down
delete from schema_compatibility where schema = 5;
drop trigger messages_of_newer_programs on messages;
drop function skip_message_change();
delete from messages m where exists (
    select from messages n
    where n.program_id = m.program_id and n.card_id = m.card_id and n.channel = m.channel and n.sequence > m.sequence);
alter table messages drop constraint messages_pkey,
    add constraint messages_pkey primary key (program_id, card_id, channel);
comment on table messages is 'The messages to recipients (the outbox), one row for each card and channel.';
comment on column messages.sequence is 'How often the message was sent once more on purpose; part of its Message-ID.';
comment on column messages.created_at is 'When the card was issued.';

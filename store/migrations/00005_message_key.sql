-- +goose Up

-- The exchange of the keys locks the table for a moment only. But while it waits for a long
-- transaction, such as a dump, all requests wait behind it. So it gives up after 5 seconds, and
-- can be run again.
set local lock_timeout = '5s';
alter table messages drop constraint messages_pkey,
    add constraint messages_pkey primary key using index messages_kind_key;
comment on table messages is 'The messages to recipients (the outbox): for each card and channel the first one, and one more for each time that the card was sent again. At most one of them is scheduled.';
comment on column messages.kind is 'What it says: card (the gift card), code (the card with a new security code), owner (the card for a new owner) or consolidation (the card that others were merged into).';
comment on column messages.sequence is 'How often the card had been sent over this channel on purpose before, in whatever kind of message; part of the Message-ID. An operator''s retry of what was sent counts it on in place.';
comment on column messages.created_at is 'When the message was made: for the first one, when the card was issued.';

-- Servers of version 0.1.0 look for messages by card and channel alone. While they run beside
-- servers of this version, they would do two things wrong. This trigger prevents both:
--   They claim all messages of the card over the channel, and send the first one that they
--   get, perhaps to the address of an earlier owner. So a message that has ended can only
--   change its status, and they find only the scheduled one.
--   They send a message, and then mark another one as sent that has replaced it. So only a
--   message that was claimed can become sent or written.
-- Their command messages retry --sent may fail on the primary key, or send an earlier message
-- again: use the command of this version. They make no messages of other kinds.
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

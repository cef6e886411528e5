-- +goose Up

-- Servers of earlier versions do not use these columns, and run on this schema as before.
-- Each statement may run again after the migration was broken off.
alter table programs
    add column if not exists currency text constraint programs_currency_check check (currency ~ '^[A-Z]{3}$'),
    add column if not exists locale text,
    add column if not exists activation text not null default 'merchant'
        constraint programs_activation_check check (activation in ('merchant', 'customer')),
    add column if not exists sender_name text,
    add column if not exists reply_to text constraint programs_reply_to_check check (reply_to !~ '[[:cntrl:][:space:]<>,;:]'),
    add column if not exists default_design text,
    add column if not exists receipts text[] not null default '{}'
        constraint programs_receipts_check check (receipts <@ array['activated', 'redeemed', 'reloaded', 'expiring']),
    add column if not exists recipient_retention interval
        constraint programs_recipient_retention_check check (recipient_retention >= interval '0');
comment on column programs.currency is 'The currency of the amounts in messages and downloads (ISO 4217); null: none is shown.';
comment on column programs.locale is 'The language and region of messages and downloads (BCP 47); null: English.';
comment on column programs.activation is 'The party that activates cards: merchant.';
comment on column programs.sender_name is 'The name of the sender of mails; null: the merchant''s name.';
comment on column programs.reply_to is 'The address to which answers to mails go; null: the sender''s.';
comment on column programs.default_design is 'The design of messages of cards without one.';
comment on column programs.receipts is 'The receipts that recipients get: of activated, redeemed, reloaded and expiring.';
comment on column programs.recipient_retention is 'How long names and addresses of recipients are kept after a card has ended; null: for ever.';

-- Receipts have their own table, because they must not delay the message of a card, and because
-- they do not count as a delivery of the card. Servers of earlier versions do not see them.
create table if not exists receipts (
    program_id      bytea       not null,
    card_id         bytea       not null,
    kind            text        not null,
    occasion        text        not null,
    channel         text        not null,
    address         text        not null,
    amount          numeric     not null,
    balance         numeric     not null,
    status          text        not null default 'scheduled',
    attempts        smallint    not null default 0,
    unconfirmed     boolean     not null default false,
    next_attempt_at timestamptz not null,
    give_up_at      timestamptz not null,
    last_error      text,
    created_at      timestamptz not null,
    constraint receipts_pkey primary key (program_id, card_id, kind, occasion, channel),
    constraint receipts_kind_check check (kind in ('activated', 'redeemed', 'reloaded', 'expiring')),
    constraint receipts_channel_check check (channel in ('email', 'sms')),
    constraint receipts_status_check check (status in ('scheduled', 'sent', 'written', 'failed', 'dropped'))
);
create index if not exists receipts_due_idx on receipts (channel, next_attempt_at) where status = 'scheduled';
create index if not exists receipts_ended_idx on receipts (created_at) where status <> 'scheduled';
comment on table receipts is 'The receipts and reminders to recipients: for each occasion and channel one row, so that none is sent twice.';
comment on column receipts.program_id is 'The program of the card.';
comment on column receipts.card_id is 'The card.';
comment on column receipts.kind is 'activated, redeemed, reloaded or expiring.';
comment on column receipts.occasion is 'The id of the entry in the ledger that it tells of, or the days before the expiry and the expiry.';
comment on column receipts.channel is 'email or sms.';
comment on column receipts.address is 'The mail address or telephone number that it goes to.';
comment on column receipts.amount is 'The amount that was added or taken; 0 for a reminder.';
comment on column receipts.balance is 'The balance of the card after it.';
comment on column receipts.status is 'scheduled, sent, written (to a file only), failed (given up) or dropped (not to be sent any more).';
comment on column receipts.attempts is 'How many attempts have begun.';
comment on column receipts.unconfirmed is 'Whether an attempt has begun whose outcome is not known; then there is no other one.';
comment on column receipts.next_attempt_at is 'When the next attempt is due; while the receipt is being sent, when the sender''s lease ends.';
comment on column receipts.give_up_at is 'When no further attempt is made.';
comment on column receipts.last_error is 'Why the last attempt failed, or why the receipt was dropped.';
comment on column receipts.created_at is 'When the receipt was queued.';

create table if not exists receipt_refusals (
    program_id   bytea       not null,
    address_hash bytea       not null,
    created_at   timestamptz not null,
    constraint receipt_refusals_pkey primary key (program_id, address_hash),
    constraint receipt_refusals_address_hash_check check (octet_length(address_hash) = 32)
);
comment on table receipt_refusals is 'The addresses that want no receipts of a program.';
comment on column receipt_refusals.program_id is 'The program.';
comment on column receipt_refusals.address_hash is 'SHA-256 of the address in lower case.';
comment on column receipt_refusals.created_at is 'When the recipient refused.';

insert into schema_compatibility (schema, oldest_program) values (10, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 10;
drop table receipt_refusals, receipts;
alter table programs
    drop column currency, drop column locale, drop column activation, drop column sender_name, drop column reply_to,
    drop column default_design, drop column receipts, drop column recipient_retention;

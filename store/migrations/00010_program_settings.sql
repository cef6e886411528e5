-- +goose Up

-- Servers of versions before know none of these columns, and go on without them.
alter table programs
    add column currency text,
    add column locale text,
    add column activation text not null default 'merchant',
    add column sender_name text,
    add column reply_to text,
    add column default_design text,
    add column receipts text[] not null default '{}',
    add column recipient_retention interval,
    add constraint programs_currency_check check (currency ~ '^[A-Z]{3}$'),
    add constraint programs_activation_check check (activation in ('merchant', 'customer')),
    add constraint programs_reply_to_check check (reply_to !~ '[[:cntrl:][:space:]<>,;:]'),
    add constraint programs_receipts_check check (receipts <@ array['activated', 'redeemed', 'reloaded', 'expiring']),
    add constraint programs_recipient_retention_check check (recipient_retention >= interval '0');
comment on column programs.currency is 'The currency of the amounts in messages and downloads (ISO 4217); null: none is shown.';
comment on column programs.locale is 'The language and region of messages and downloads (BCP 47); null: English.';
comment on column programs.activation is 'Who activates cards: merchant.';
comment on column programs.sender_name is 'The name of the sender of mails; null: the merchant''s name.';
comment on column programs.reply_to is 'The address to which answers to mails go; null: the sender''s.';
comment on column programs.default_design is 'The design of messages of cards without one.';
comment on column programs.receipts is 'The receipts that recipients get: of activated, redeemed, reloaded and expiring.';
comment on column programs.recipient_retention is 'How long names and addresses of recipients are kept after a card has ended; null: for ever.';

insert into schema_compatibility (schema, oldest_program) values (10, 1);

-- +goose Down
delete from schema_compatibility where schema = 10;
alter table programs
    drop column currency, drop column locale, drop column activation, drop column sender_name, drop column reply_to,
    drop column default_design, drop column receipts, drop column recipient_retention;

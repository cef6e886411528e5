-- +goose Up

-- Ids are 12 bytes, printed as 24 lower-case hexadecimal digits by the
-- contract; see store/id/id.go for their order.

create table merchants (
    id         bytea       not null,
    name       text        not null,
    created_at timestamptz not null,
    constraint merchants_pkey primary key (id),
    constraint merchants_id_check check (octet_length(id) = 12)
);

create table users (
    id            bytea       not null,
    merchant_id   bytea       not null,
    email         text        not null, -- lower case
    name          text,
    password_hash text        not null, -- argon2id, PHC string
    active        boolean     not null default true,
    created_at    timestamptz not null,
    constraint users_pkey primary key (id),
    constraint users_id_check check (octet_length(id) = 12),
    constraint users_email_key unique (email),
    constraint users_merchant_id_fkey foreign key (merchant_id) references merchants (id)
);

-- Tokens logged out before their end. Rows are of no use after expires_at.
create table revoked_tokens (
    id         text        not null, -- the token's jti
    expires_at timestamptz not null,
    constraint revoked_tokens_pkey primary key (id)
);

create index revoked_tokens_expires_at_idx on revoked_tokens (expires_at);

create table programs (
    id          bytea       not null,
    merchant_id bytea       not null,
    name        text        not null,
    created_at  timestamptz not null,
    constraint programs_pkey primary key (id),
    constraint programs_id_check check (octet_length(id) = 12),
    constraint programs_merchant_id_fkey foreign key (merchant_id) references merchants (id)
);

-- The cards of one bulk request have consecutive ids, so the primary key gives
-- them in the order asked for, and no other index is needed to find them.
-- No foreign keys here: a row is written only after its program was read, and
-- programs are never deleted.
create table gift_cards (
    program_id       bytea       not null,
    id               bytea       not null,
    card_number      bigint      not null, -- 16 digits, leading zeros not stored
    sealed_code      bytea       not null, -- the security code, sealed with id as associated data
    status           text        not null default 'pending',
    balance          numeric     not null default 0,
    initial_value    numeric     not null,
    is_physical      boolean     not null,
    design_template  text,
    customer_email   text,
    customer_phone   text,
    customer_name    text,
    sender_name      text,
    custom_message   text,
    deliver_at       timestamptz,
    delivered        boolean     not null default false,
    expires_at       timestamptz not null,
    created_at       timestamptz not null,
    updated_at       timestamptz,
    activated_at     timestamptz,
    suspended_at     timestamptz,
    suspended_until  timestamptz,
    suspended_reason text,
    constraint gift_cards_pkey primary key (program_id, id),
    constraint gift_cards_card_number_key unique (card_number),
    constraint gift_cards_id_check check (octet_length(id) = 12),
    constraint gift_cards_card_number_check check (card_number between 0 and 9999999999999999),
    constraint gift_cards_status_check check (status in ('pending', 'active', 'suspended', 'expired', 'voided', 'depleted')),
    constraint gift_cards_initial_value_check check (initial_value between 0.01 and 10000),
    constraint gift_cards_balance_check check (balance >= 0)
);

create table bulk_tasks (
    program_id      bytea       not null,
    id              uuid        not null,
    status          text        not null default 'pending',
    card_count      integer     not null,
    by_count        boolean     not null, -- count mode: the merchant gets a CSV
    initial_value   numeric     not null,
    is_physical     boolean     not null,
    design_template text,
    expires_at      timestamptz not null,
    first_card_id   bytea       not null, -- of card_count consecutive ids
    job_id          bigint,   -- river_job.id
    attempts        smallint    not null default 0, -- begun, whether or not they came to an end
    error           text,
    created_at      timestamptz not null,
    completed_at    timestamptz,
    constraint bulk_tasks_pkey primary key (program_id, id),
    constraint bulk_tasks_status_check check (status in ('pending', 'processing', 'completed', 'failed')),
    constraint bulk_tasks_card_count_check check (card_count > 0),
    constraint bulk_tasks_completed_at_check check ((completed_at is not null) = (status in ('completed', 'failed'))),
    constraint bulk_tasks_error_check check ((error is not null) = (status = 'failed'))
);

create index bulk_tasks_unfinished_idx on bulk_tasks (created_at) where status in ('pending', 'processing');

create table bulk_recipients (
    program_id     bytea   not null,
    task_id        uuid    not null,
    position       integer not null, -- from 0, in the order of the request
    customer_email text,
    customer_phone text,
    customer_name  text,
    sender_name    text,
    custom_message text,
    constraint bulk_recipients_pkey primary key (program_id, task_id, position)
);

-- A key and its answer, written in the transaction of the effect they stand for.
create table idempotency_keys (
    program_id   bytea       not null,
    operation    text        not null,
    key          text        not null,
    request_hash bytea       not null, -- SHA-256 of the validated request
    status       smallint    not null,
    answer       bytea       not null, -- JSON, without the CSV link
    created_at   timestamptz not null,
    constraint idempotency_keys_pkey primary key (program_id, operation, key)
);

create index idempotency_keys_created_at_idx on idempotency_keys (created_at);

-- What a recipient is to be told, one row a channel. The text is made when it
-- is sent, from the card. A worker counts its attempt before it sends, and takes
-- the row for itself by moving next_attempt_at to the end of its lease.
create table messages (
    program_id      bytea       not null,
    card_id         bytea       not null,
    channel         text        not null,
    address         text        not null,
    bulk            boolean     not null, -- of a task: gives way to the others
    send_at         timestamptz not null,
    status          text        not null default 'scheduled',
    attempts        smallint    not null default 0, -- begun, whether or not they came to an end
    unconfirmed     smallint    not null default 0, -- attempts that may have handed the message over
    next_attempt_at timestamptz not null,
    give_up_at      timestamptz, -- known from the first attempt on
    last_error      text,
    sent_at         timestamptz,
    created_at      timestamptz not null,
    constraint messages_pkey primary key (program_id, card_id, channel),
    constraint messages_channel_check check (channel in ('email', 'sms')),
    constraint messages_status_check check (status in ('scheduled', 'sent', 'failed', 'dropped')),
    constraint messages_sent_at_check check ((sent_at is not null) = (status = 'sent'))
);

create index messages_due_idx on messages (channel, bulk, next_attempt_at) where status = 'scheduled';
create index messages_unsent_idx on messages (status, send_at) where status in ('failed', 'dropped');

-- Something sealed, by which a server finds out that it has the keys of the codes
-- in this database. One row.
create table key_checks (
    id     boolean not null default true,
    sealed bytea   not null,
    constraint key_checks_pkey primary key (id),
    constraint key_checks_id_check check (id)
);

-- +goose Down
drop table key_checks, messages, idempotency_keys, bulk_recipients, bulk_tasks, gift_cards, programs, revoked_tokens, users, merchants;

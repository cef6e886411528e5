-- +goose Up

-- The comments are printed as docs/schema.md: run make schema after a change.
-- Ids of type bytea are 12 bytes; the API prints them as 24 hexadecimal digits, and
-- store/id/id.go says how they are ordered. All times are UTC.

create table merchants (
    id         bytea       not null,
    name       text        not null,
    created_at timestamptz not null,
    constraint merchants_pkey primary key (id),
    constraint merchants_id_check check (octet_length(id) = 12)
);
comment on table merchants is 'The businesses that issue gift cards.';
comment on column merchants.id is 'Identifies the merchant.';
comment on column merchants.name is 'The name that recipients read; two merchants may have the same.';
comment on column merchants.created_at is 'When an operator added the merchant.';

create table users (
    id                 bytea       not null,
    merchant_id        bytea       not null,
    email              text        not null,
    name               text,
    password_hash      text        not null,
    role               text        not null default 'issuer',
    active             boolean     not null default true,
    tokens_valid_after timestamptz,
    created_at         timestamptz not null,
    constraint users_pkey primary key (id),
    constraint users_id_check check (octet_length(id) = 12),
    constraint users_role_check check (role in ('issuer', 'reader')),
    constraint users_email_key unique (email),
    constraint users_merchant_id_fkey foreign key (merchant_id) references merchants (id)
);
comment on table users is 'The people who log in for a merchant.';
comment on column users.id is 'Identifies the user.';
comment on column users.merchant_id is 'The merchant whose programs the user works on.';
comment on column users.email is 'The name to log in with, in lower case.';
comment on column users.name is 'The name of the person; null if unknown.';
comment on column users.password_hash is 'The argon2id hash of the password, as a PHC string.';
comment on column users.role is 'issuer may issue cards and read security codes; reader may only read what opens no card.';
comment on column users.active is 'Whether the user may log in.';
comment on column users.tokens_valid_after is 'Tokens given before this whole second are refused; null: no token was ended yet.';
comment on column users.created_at is 'When an operator added the user.';

create table programs (
    id          bytea       not null,
    merchant_id bytea       not null,
    name        text        not null,
    time_zone   text        not null default 'UTC',
    created_at  timestamptz not null,
    constraint programs_pkey primary key (id),
    constraint programs_id_check check (octet_length(id) = 12),
    constraint programs_merchant_id_fkey foreign key (merchant_id) references merchants (id)
);
comment on table programs is 'The gift-card programs of merchants. A program is never deleted.';
comment on column programs.id is 'Identifies the program.';
comment on column programs.merchant_id is 'The merchant that the program belongs to.';
comment on column programs.name is 'The name that operators read.';
comment on column programs.time_zone is 'The zone in which the days in messages begin and end, as a name of the IANA database.';
comment on column programs.created_at is 'When an operator added the program.';

-- The cards of one bulk request have consecutive ids, so the primary key returns them in
-- the order of the request without another index. There are no foreign keys, because a
-- card is written only after its program was read, and programs are never deleted.
create table gift_cards (
    program_id       bytea       not null,
    id               bytea       not null,
    card_number      bigint      not null,
    sealed_code      bytea       not null,
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
comment on table gift_cards is 'The cards.';
comment on column gift_cards.program_id is 'The program that the card was issued in.';
comment on column gift_cards.id is 'Identifies the card in its program; cards of one bulk request have consecutive ids.';
comment on column gift_cards.card_number is 'The 16 digits on the card, without leading zeros.';
comment on column gift_cards.sealed_code is 'The 6-digit security code, encrypted and bound to the card by its id.';
comment on column gift_cards.status is 'pending, active, suspended, expired, voided or depleted; a new card is pending.';
comment on column gift_cards.balance is 'What is left to spend; 0 until the card is activated.';
comment on column gift_cards.initial_value is 'The value that the card was issued for.';
comment on column gift_cards.is_physical is 'Whether the card is printed.';
comment on column gift_cards.design_template is 'The name of the design; null: the default design.';
comment on column gift_cards.customer_email is 'The address that the card is mailed to; null: none.';
comment on column gift_cards.customer_phone is 'The number that the card is sent to as a text message; null: none.';
comment on column gift_cards.customer_name is 'The name of the recipient.';
comment on column gift_cards.sender_name is 'The name of the person who gives the card.';
comment on column gift_cards.custom_message is 'The greeting that the recipient reads.';
comment on column gift_cards.deliver_at is 'When the messages are due; null or past: at once.';
comment on column gift_cards.delivered is 'Whether all messages of the card have been sent.';
comment on column gift_cards.expires_at is 'When the card stops being of use.';
comment on column gift_cards.created_at is 'When the card was issued.';
comment on column gift_cards.updated_at is 'When the card was last changed; null: never.';
comment on column gift_cards.activated_at is 'When the card was activated; null: not yet.';
comment on column gift_cards.suspended_at is 'When the card was suspended; null: it is not suspended.';
comment on column gift_cards.suspended_until is 'When the suspension ends; null: it has no set end.';
comment on column gift_cards.suspended_reason is 'Why the card was suspended.';

create table bulk_tasks (
    program_id         bytea       not null,
    id                 uuid        not null,
    status             text        not null default 'pending',
    card_count         integer     not null,
    by_count           boolean     not null,
    initial_value      numeric     not null,
    is_physical        boolean     not null,
    design_template    text,
    expires_at         timestamptz not null,
    first_card_id      bytea       not null,
    job_id             bigint,
    attempts           smallint    not null default 0,
    error              text,
    user_id            bytea,
    tokens_valid_after timestamptz,
    counted_in         bytea[]     not null default '{}',
    created_at         timestamptz not null,
    completed_at       timestamptz,
    constraint bulk_tasks_pkey primary key (program_id, id),
    constraint bulk_tasks_status_check check (status in ('pending', 'processing', 'completed', 'failed')),
    constraint bulk_tasks_card_count_check check (card_count > 0),
    constraint bulk_tasks_completed_at_check check ((completed_at is not null) = (status in ('completed', 'failed'))),
    constraint bulk_tasks_error_check check ((error is not null) = (status = 'failed'))
);
create index bulk_tasks_unfinished_idx on bulk_tasks (created_at) where status in ('pending', 'processing');
create index bulk_tasks_finished_idx on bulk_tasks (created_at) where status in ('completed', 'failed');
-- The unfinished cards of a merchant are counted whenever a task is added.
create index bulk_tasks_unfinished_program_idx on bulk_tasks (program_id) where status in ('pending', 'processing');
comment on table bulk_tasks is 'The bulk requests that are too large to be answered at once. A worker issues their cards.';
comment on column bulk_tasks.program_id is 'The program that the cards are issued in.';
comment on column bulk_tasks.id is 'Identifies the task; the caller polls it by this id.';
comment on column bulk_tasks.status is 'pending, processing, completed (all cards are issued) or failed (none is).';
comment on column bulk_tasks.card_count is 'How many cards the task issues.';
comment on column bulk_tasks.by_count is 'Whether the request named a count instead of recipients; the merchant then gets a CSV.';
comment on column bulk_tasks.initial_value is 'The value of each card.';
comment on column bulk_tasks.is_physical is 'Whether the cards are printed.';
comment on column bulk_tasks.design_template is 'The name of the design of the cards; null: the default design.';
comment on column bulk_tasks.expires_at is 'When the cards stop being of use.';
comment on column bulk_tasks.first_card_id is 'The id of the first card; the others follow it.';
comment on column bulk_tasks.job_id is 'The job that issues the cards: river_job.id.';
comment on column bulk_tasks.attempts is 'How many attempts have begun, whether or not they came to an end.';
comment on column bulk_tasks.error is 'Why the task failed, as a sentence for the merchant.';
comment on column bulk_tasks.user_id is 'The user who asked for the cards; null: nobody.';
comment on column bulk_tasks.tokens_valid_after is 'The user''s tokens_valid_after when the task was added; if the user has a later one, the task fails.';
comment on column bulk_tasks.counted_in is 'The scopes of issued_totals in which the cards were counted, the program before the user; a task that fails is taken out of them.';
comment on column bulk_tasks.created_at is 'When the task was added.';
comment on column bulk_tasks.completed_at is 'When the task was completed or failed; null: it is unfinished.';

-- Thousands of recipients go into one row, because one row for each cost more than the cards.
create table task_recipients (
    program_id bytea   not null,
    task_id    uuid    not null,
    first      integer not null,
    recipients bytea   not null,
    constraint task_recipients_pkey primary key (program_id, task_id, first)
);
alter table task_recipients alter column recipients set storage external; -- it is compressed already
comment on table task_recipients is 'The recipients of unfinished tasks, in chunks. They are deleted when the task is finished.';
comment on column task_recipients.program_id is 'The program of the task.';
comment on column task_recipients.task_id is 'The task.';
comment on column task_recipients.first is 'The position in the request, from 0, of the first recipient of the chunk.';
comment on column task_recipients.recipients is 'The recipients as a JSON array, compressed with S2.';

-- A worker locks the task's row for its whole transaction, and still reads this table. So there
-- is no foreign key: an insert would wait for the lock on the task's row.
create table task_cancellations (
    program_id bytea       not null,
    task_id    uuid        not null,
    created_at timestamptz not null,
    constraint task_cancellations_pkey primary key (program_id, task_id)
);
comment on table task_cancellations is 'The unfinished tasks that an operator has cancelled.';
comment on column task_cancellations.program_id is 'The program of the task.';
comment on column task_cancellations.task_id is 'The task.';
comment on column task_cancellations.created_at is 'When the operator cancelled it.';

create table idempotency_keys (
    program_id   bytea       not null,
    operation    text        not null,
    key          text        not null,
    request_hash bytea       not null,
    status       smallint    not null,
    answer       bytea       not null,
    created_at   timestamptz not null,
    constraint idempotency_keys_pkey primary key (program_id, operation, key)
);
create index idempotency_keys_created_at_idx on idempotency_keys (created_at);
comment on table idempotency_keys is 'The idempotency keys with their answers, each written in the transaction of its effect.';
comment on column idempotency_keys.program_id is 'The program that the key was used in.';
comment on column idempotency_keys.operation is 'The operation that the key was used for, such as createGiftCard.';
comment on column idempotency_keys.key is 'The key, as the caller sent it.';
comment on column idempotency_keys.request_hash is 'The SHA-256 hash of the validated request; another request under the key is refused.';
comment on column idempotency_keys.status is 'The status of the answer; 0 inside the transaction that makes it.';
comment on column idempotency_keys.answer is 'The body of the answer as JSON, without the link to a CSV.';
comment on column idempotency_keys.created_at is 'When the key was first used.';

-- The text of a message is made from the card when it is sent. A worker counts its attempt
-- before it sends, and takes the row for itself by moving next_attempt_at to the end of its
-- lease.
create table messages (
    program_id      bytea       not null,
    card_id         bytea       not null,
    channel         text        not null,
    address         text        not null,
    bulk            boolean     not null,
    send_at         timestamptz not null,
    status          text        not null default 'scheduled',
    attempts        smallint    not null default 0,
    unconfirmed     smallint    not null default 0,
    sequence        smallint    not null default 0,
    next_attempt_at timestamptz not null,
    give_up_at      timestamptz,
    last_error      text,
    sent_at         timestamptz,
    created_at      timestamptz not null,
    constraint messages_pkey primary key (program_id, card_id, channel),
    constraint messages_channel_check check (channel in ('email', 'sms')),
    constraint messages_status_check check (status in ('scheduled', 'sent', 'written', 'failed', 'dropped')),
    constraint messages_sent_at_check check ((sent_at is not null) = (status = 'sent'))
);
-- Messages of tasks are sent program by program in turn, all others by their time alone.
create index messages_due_idx on messages (channel, next_attempt_at) where status = 'scheduled' and not bulk;
create index messages_task_due_idx on messages (channel, program_id, next_attempt_at) where status = 'scheduled' and bulk;
create index messages_unsent_idx on messages (status, send_at) where status in ('written', 'failed', 'dropped');
comment on table messages is 'The messages to recipients (the outbox), one row for each card and channel.';
comment on column messages.program_id is 'The program of the card.';
comment on column messages.card_id is 'The card that the message is about.';
comment on column messages.channel is 'email or sms.';
comment on column messages.address is 'The mail address or telephone number that it goes to.';
comment on column messages.bulk is 'Whether a task issued the card; such messages give way to the others.';
comment on column messages.send_at is 'When the message is to be sent first.';
comment on column messages.status is 'scheduled, sent, written (to a file only), failed (given up) or dropped (not to be sent any more).';
comment on column messages.attempts is 'How many attempts have begun, whether or not they came to an end.';
comment on column messages.unconfirmed is 'How many attempts may have handed the message over without a confirmation.';
comment on column messages.sequence is 'How often the message was sent once more on purpose; part of its Message-ID.';
comment on column messages.next_attempt_at is 'When the next attempt is due; while the message is being sent, when the sender''s lease ends.';
comment on column messages.give_up_at is 'When no further attempt is made; null until the first one.';
comment on column messages.last_error is 'Why the last attempt failed, or why the message was dropped.';
comment on column messages.sent_at is 'When the mail or SMS server took the message.';
comment on column messages.created_at is 'When the card was issued.';

create table message_origins (
    id           boolean not null default true,
    system       bigint  not null,
    database_oid bigint  not null,
    constraint message_origins_pkey primary key (id),
    constraint message_origins_id_check check (id)
);
comment on table message_origins is 'The database that messages are sent from, in one row. A restored copy has another identity and sends nothing.';
comment on column message_origins.id is 'Always true, so that there is one row.';
comment on column message_origins.system is 'PostgreSQL''s identifier of the cluster; a standby has the same.';
comment on column message_origins.database_oid is 'The object id of the database in the cluster; a restored database has another.';

-- A scope is the id of a program or of a user.
create table issuing_limits (
    scope         bytea   not null,
    cards_per_day bigint,
    value_per_day numeric,
    constraint issuing_limits_pkey primary key (scope),
    constraint issuing_limits_scope_check check (octet_length(scope) = 12),
    constraint issuing_limits_cards_per_day_check check (cards_per_day >= 0),
    constraint issuing_limits_value_per_day_check check (value_per_day >= 0),
    constraint issuing_limits_any_check check (num_nonnulls(cards_per_day, value_per_day) > 0)
);
comment on table issuing_limits is 'The limits on the cards that may be promised on one day, in a program or by a user.';
comment on column issuing_limits.scope is 'The id of the program or user.';
comment on column issuing_limits.cards_per_day is 'The highest number of cards; null: no limit.';
comment on column issuing_limits.value_per_day is 'The highest sum of initial values; null: no limit.';

create table issued_totals (
    scope bytea   not null,
    day   date    not null,
    cards bigint  not null,
    value numeric not null,
    constraint issued_totals_pkey primary key (scope, day)
);
create index issued_totals_day_idx on issued_totals (day);
comment on table issued_totals is 'The cards promised on each day in programs and by users that had a limit at that time.';
comment on column issued_totals.scope is 'The id of the program or user.';
comment on column issued_totals.day is 'The day in UTC.';
comment on column issued_totals.cards is 'How many cards were promised.';
comment on column issued_totals.value is 'The sum of their initial values.';

create table known_logins (
    user_id   bytea       not null,
    network   bytea       not null,
    last_seen timestamptz not null,
    constraint known_logins_pkey primary key (user_id, network),
    constraint known_logins_user_id_fkey foreign key (user_id) references users (id)
);
create index known_logins_last_seen_idx on known_logins (last_seen);
comment on table known_logins is 'The networks that users have logged in from. Logins from there have a rate limit of their own, which nobody else can use up.';
comment on column known_logins.user_id is 'The user.';
comment on column known_logins.network is 'A hash of the user''s name and the network.';
comment on column known_logins.last_seen is 'When the user last logged in from there, exact to a day.';

create table revoked_tokens (
    id         text        not null,
    expires_at timestamptz not null,
    constraint revoked_tokens_pkey primary key (id)
);
create index revoked_tokens_expires_at_idx on revoked_tokens (expires_at);
comment on table revoked_tokens is 'The tokens that were logged out before they expired.';
comment on column revoked_tokens.id is 'The jti claim of the token.';
comment on column revoked_tokens.expires_at is 'When the token expires by itself; the row is of no use after that.';

create table audit_log (
    at                timestamptz not null,
    operation         text        not null,
    user_id           bytea,
    merchant_id       bytea,
    program_id        bytea,
    subject           bytea,
    cards             integer     not null default 0,
    client            text        not null,
    request_id        text,
    client_request_id text
);
create index audit_log_at_idx on audit_log (at);
comment on table audit_log is 'The log of all changes. A row is written in the transaction of its effect, and never changed.';
comment on column audit_log.at is 'When the change was made.';
comment on column audit_log.operation is 'The operation, such as createGiftCard, or an operator''s command.';
comment on column audit_log.user_id is 'The user who made the change; null: an operator or a worker.';
comment on column audit_log.merchant_id is 'The merchant that the change is about; null: none.';
comment on column audit_log.program_id is 'The program that the change is about; null: none.';
comment on column audit_log.subject is 'The id of the card, task or user that the change is about; an id of 16 bytes is a task''s.';
comment on column audit_log.cards is 'How many cards were issued.';
comment on column audit_log.client is 'The network address of the caller, or the account of the operator.';
comment on column audit_log.request_id is 'The server''s id of the request, which its log lines have too.';
comment on column audit_log.client_request_id is 'The X-Request-Id that the caller sent, which proves nothing.';

-- +goose StatementBegin
create function refuse_audit_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.at < now() - interval '30 days' then
            return old;
        end if;
    end if;
    raise exception 'the audit log is append-only for 30 days' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

-- These triggers bind the owner too.
create trigger audit_log_append_only before update or delete on audit_log
    for each row execute function refuse_audit_change();
create trigger audit_log_no_truncate before truncate on audit_log
    for each statement execute function refuse_audit_change();

-- A role that serves may not delete from the audit log. It can only call this function, which
-- runs as the owner: the function deletes a batch (or a little more) of the oldest entries
-- before a time, and returns their number.
-- +goose StatementBegin
create function expire_audit_log(before timestamptz, batch integer) returns bigint
language plpgsql security definer as $$
declare
    deleted bigint;
begin
    delete from audit_log where at < before
        and at <= (select max(o.at) from (select a.at from audit_log a where a.at < before order by a.at limit batch) o);
    get diagnostics deleted = row_count;
    return deleted;
end $$;
-- +goose StatementEnd

-- The function uses the tables of this schema, whatever search_path its caller has set:
-- it runs as the owner, and a caller must not lead it to tables of their own.
-- +goose StatementBegin
do $$
begin
    execute format('alter function expire_audit_log(timestamptz, integer) set search_path = %I, pg_temp', current_schema());
end $$;
-- +goose StatementEnd
revoke execute on function expire_audit_log(timestamptz, integer) from public;

create table key_checks (
    id     boolean not null default true,
    sealed bytea   not null,
    constraint key_checks_pkey primary key (id),
    constraint key_checks_id_check check (id)
);
comment on table key_checks is 'A sealed text, in one row, that a server opens when it starts to find out whether it has the keys of the security codes.';
comment on column key_checks.id is 'Always true, so that there is one row.';
comment on column key_checks.sealed is 'The sealed text.';

-- AES-GCM with random nonces allows about 2^32 codes for one key.
create table key_uses (
    key_id bigint not null,
    sealed bigint not null,
    constraint key_uses_pkey primary key (key_id),
    constraint key_uses_sealed_check check (sealed >= 0)
);
comment on table key_uses is 'How many security codes each key has sealed. A retired key keeps its row.';
comment on column key_uses.key_id is 'The id of the key in the key file.';
comment on column key_uses.sealed is 'How many codes all servers have sealed with it.';

create table reseals (
    id            boolean     not null default true,
    key_id        bigint      not null,
    first_seen_at timestamptz not null,
    pass_began_at timestamptz not null,
    program_id    bytea,
    card_id       bytea,
    resealed      bigint      not null default 0,
    finished_at   timestamptz,
    constraint reseals_pkey primary key (id),
    constraint reseals_id_check check (id)
);
comment on table reseals is 'How far security codes are sealed again with the newest key, in one row.';
comment on column reseals.id is 'Always true, so that there is one row.';
comment on column reseals.key_id is 'The id of the key that codes are sealed with.';
comment on column reseals.first_seen_at is 'When a server first had this key as the newest.';
comment on column reseals.pass_began_at is 'When the present pass over all cards began.';
comment on column reseals.program_id is 'The program of the card that this pass looked at last; null at its beginning.';
comment on column reseals.card_id is 'The card that this pass looked at last; null at its beginning.';
comment on column reseals.resealed is 'How many codes were sealed again, in all passes.';
comment on column reseals.finished_at is 'When no code was sealed with another key any more; null: not yet.';

-- Each later migration adds its row. If the row is missing, older programs do not start on the
-- schema.
create table schema_compatibility (
    schema         bigint not null,
    oldest_program bigint not null,
    constraint schema_compatibility_pkey primary key (schema),
    constraint schema_compatibility_oldest_program_check check (oldest_program <= schema)
);
comment on table schema_compatibility is 'Which older programs may run on each schema.';
comment on column schema_compatibility.schema is 'The number of the migration that made the schema.';
comment on column schema_compatibility.oldest_program is 'The oldest schema whose programs may run on this one.';
insert into schema_compatibility (schema, oldest_program) values (1, 1);

-- +goose Down
drop table schema_compatibility, reseals, key_uses, key_checks, audit_log, revoked_tokens, known_logins, issued_totals, issuing_limits,
    message_origins, messages, idempotency_keys, task_cancellations, task_recipients, bulk_tasks, gift_cards, programs, users, merchants;
drop function expire_audit_log(timestamptz, integer);
drop function refuse_audit_change();

-- +goose Up

alter table users drop constraint users_role_check,
    add constraint users_role_check check (role in ('issuer', 'cashier', 'reader'));
comment on column users.role is 'issuer may do everything; cashier may serve at a till; reader may only read what opens no card.';

-- Not valid, so that no table is read while it is locked; a later migration validates them.
alter table gift_cards add column last_entry_id bytea,
    add constraint gift_cards_balance_needs_activation_check check (balance = 0 or activated_at is not null) not valid,
    add constraint gift_cards_voided_is_empty_check check (status <> 'voided' or balance = 0) not valid;
comment on column gift_cards.last_entry_id is 'The newest entry of the card in the ledger; null: none yet.';
comment on column gift_cards.status is 'As last written: pending, active, suspended or voided. What a caller is told also depends on the time and the balance: see card_state.';

-- One key may serve one request for each card, so the card is part of its scope.
alter table idempotency_keys add column subject bytea not null default '\x';
comment on column idempotency_keys.subject is 'What the request acts on, such as the id of a card; empty for requests that issue cards.';

-- An entry is one movement of money on one card. The primary key holds the entries of a card
-- together, in the order in which they were made.
create table ledger_entries (
    program_id         bytea       not null,
    card_id            bytea       not null,
    id                 bytea       not null,
    type               text        not null,
    amount             numeric     not null,
    balance_before     numeric     not null,
    balance_after      numeric     not null,
    reference_id       text,
    description        text,
    pos_transaction_id text,
    cashier_id         text,
    terminal_id        text,
    created_at         timestamptz not null,
    constraint ledger_entries_pkey primary key (program_id, card_id, id),
    constraint ledger_entries_id_check check (octet_length(id) = 12),
    constraint ledger_entries_sum_check check (balance_after = balance_before + amount),
    constraint ledger_entries_balance_check check (balance_before >= 0 and balance_after >= 0),
    constraint ledger_entries_type_check check (case type
        when 'ACTIVATION' then amount > 0 and balance_before = 0
        when 'RELOAD' then amount > 0
        when 'TRANSFER_IN' then amount > 0
        when 'REDEMPTION' then amount < 0
        when 'TRANSFER_OUT' then amount < 0
        when 'VOID' then amount <= 0 and balance_after = 0
        -- Below 0, all of an expired card's balance was paid out elsewhere.
        when 'REFUND' then amount > 0 or amount < 0 and balance_after = 0
        when 'CONSOLIDATION' then amount < 0 and balance_after = 0 or amount > 0 and balance_before = 0
        when 'OWNERSHIP_TRANSFER' then amount = 0
        when 'RESEND_CODE' then amount = 0
        else false end)
);
-- The refunds of a redemption are added up before another one is allowed.
create index ledger_entries_refunds_idx on ledger_entries (program_id, card_id, reference_id) where type = 'REFUND';
create index ledger_entries_pos_transaction_idx on ledger_entries (program_id, pos_transaction_id) where pos_transaction_id is not null;
comment on table ledger_entries is 'The ledger: every movement of money on every card. A row is written in the transaction that changes the balance, and never changed.';
comment on column ledger_entries.program_id is 'The program of the card.';
comment on column ledger_entries.card_id is 'The card.';
comment on column ledger_entries.id is 'Identifies the entry; the API calls it a transaction. The ids of a card ascend in the order of its entries.';
comment on column ledger_entries.type is 'ACTIVATION, RELOAD, REDEMPTION, REFUND, TRANSFER_OUT, TRANSFER_IN, CONSOLIDATION, VOID, OWNERSHIP_TRANSFER or RESEND_CODE.';
comment on column ledger_entries.amount is 'What was added to the balance; negative if it was taken.';
comment on column ledger_entries.balance_before is 'The balance before the movement.';
comment on column ledger_entries.balance_after is 'The balance after it, which is the balance before the next one.';
comment on column ledger_entries.reference_id is 'The caller''s reference; for a refund, the id of the redemption; for a transfer, the id that both entries share unless the caller gave one.';
comment on column ledger_entries.description is 'A sentence about the movement, of the caller or of the server.';
comment on column ledger_entries.pos_transaction_id is 'The till''s own id of the sale; two entries may have the same.';
comment on column ledger_entries.cashier_id is 'The cashier, as the till names them.';
comment on column ledger_entries.terminal_id is 'The till.';
comment on column ledger_entries.created_at is 'When the money was moved.';

-- +goose StatementBegin
create function refuse_ledger_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

-- These triggers bind the owner too.
create trigger ledger_entries_append_only before update or delete on ledger_entries
    for each row execute function refuse_ledger_change();
create trigger ledger_entries_no_truncate before truncate on ledger_entries
    for each statement execute function refuse_ledger_change();

-- An entry begins with the balance with which the newest entry of its card ends. The trigger
-- also sees rows that the same statement has inserted.
-- +goose StatementBegin
create function check_entry_chains() returns trigger language plpgsql as $$
declare
    newest record;
begin
    select e.id, e.balance_after into newest from ledger_entries e
    where e.program_id = new.program_id and e.card_id = new.card_id order by e.id desc limit 1;
    if newest.id >= new.id or coalesce(newest.balance_after, 0) <> new.balance_before then
        raise exception 'entry % does not follow the newest one of its card', encode(new.id, 'hex')
            using errcode = 'check_violation', constraint = 'ledger_entries_chain';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger ledger_entries_chain before insert on ledger_entries
    for each row execute function check_entry_chains();

-- A balance changes only together with entries that add up to the change. The trigger runs
-- after the whole statement, so one statement may write both.
-- +goose StatementBegin
create function check_balance_is_posted() returns trigger language plpgsql as $$
declare
    before_balance numeric := 0;
    before_entry   bytea   := '\x';
    posted         numeric;
    last           numeric;
begin
    if tg_op = 'UPDATE' then
        before_balance := old.balance;
        before_entry := coalesce(old.last_entry_id, '\x');
    end if;
    select sum(e.amount), (array_agg(e.balance_after order by e.id desc))[1] into posted, last
    from ledger_entries e
    where e.program_id = new.program_id and e.card_id = new.id
      and e.id > before_entry and e.id <= new.last_entry_id;
    if posted is distinct from new.balance - before_balance or last is distinct from new.balance then
        raise exception 'balance of card % does not follow from its ledger', encode(new.id, 'hex')
            using errcode = 'check_violation', constraint = 'gift_cards_balance_is_posted';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create trigger gift_cards_balance_is_posted after update of balance, last_entry_id on gift_cards
    for each row when (old.balance is distinct from new.balance or old.last_entry_id is distinct from new.last_entry_id)
    execute function check_balance_is_posted();
-- A card is issued empty, unless its first entry is there already.
create trigger gift_cards_issued_balance_is_posted after insert on gift_cards
    for each row when (new.balance <> 0 or new.last_entry_id is not null)
    execute function check_balance_is_posted();

-- card_state is the state that callers are told, at a time. StateOf in Go gives the same. The
-- function is a single expression, so that PostgreSQL inlines it into the query that calls it.
create function card_state(status text, activated_at timestamptz, balance numeric, expires_at timestamptz, suspended_until timestamptz, at timestamptz)
returns text language sql immutable parallel safe as $$
    select case
        when status = 'voided' then 'voided'
        when activated_at is not null and balance = 0 then 'depleted'
        when at >= expires_at then 'expired'
        when status = 'suspended' and (suspended_until is null or suspended_until > at) then 'suspended'
        when activated_at is not null then 'active'
        else 'pending'
    end
$$;

-- The key of idempotency_keys with its subject. Keys live for a day, so the table is small.
alter table idempotency_keys drop constraint idempotency_keys_pkey,
    add constraint idempotency_keys_pkey primary key (program_id, operation, key, subject);

insert into schema_compatibility (schema, oldest_program) values (2, 1);

-- +goose Down
delete from schema_compatibility where schema = 2;
delete from idempotency_keys where subject <> '\x';
alter table idempotency_keys drop constraint idempotency_keys_pkey, drop column subject,
    add constraint idempotency_keys_pkey primary key (program_id, operation, key);
drop function card_state(text, timestamptz, numeric, timestamptz, timestamptz, timestamptz);
drop trigger gift_cards_issued_balance_is_posted on gift_cards;
drop trigger gift_cards_balance_is_posted on gift_cards;
drop function check_balance_is_posted();
drop table ledger_entries;
drop function check_entry_chains();
drop function refuse_ledger_change();
alter table gift_cards drop constraint gift_cards_voided_is_empty_check, drop constraint gift_cards_balance_needs_activation_check,
    drop column last_entry_id;
update users set role = 'reader' where role = 'cashier';
alter table users drop constraint users_role_check,
    add constraint users_role_check check (role in ('issuer', 'reader'));

-- +goose Up

-- Servers of schema 1 may go on running on this one: it only adds, and what it
-- adds to their rows has a default.

alter table users
    add column role text not null default 'issuer',
    add column tokens_valid_after timestamptz, -- a whole second; tokens given before it are of no use
    add constraint users_role_check check (role in ('issuer', 'reader'));

-- Who did what, from where. A row is written in the transaction of the effect it
-- tells of, and is never changed.
create table audit_log (
    at          timestamptz not null,
    operation   text        not null, -- such as createGiftCard, or an operator's command
    user_id     bytea, -- null: an operator or a worker
    merchant_id bytea,
    program_id  bytea,
    subject     bytea, -- the id of what it is about: 16 bytes are a task's
    cards       integer     not null default 0,
    client      text        not null, -- network address; of an operator, the account
    request_id  text -- also in the server's log
);

create index audit_log_at_idx on audit_log (at);

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

-- They bind the owner too.
create trigger audit_log_append_only before update or delete on audit_log
    for each row execute function refuse_audit_change();
create trigger audit_log_no_truncate before truncate on audit_log
    for each statement execute function refuse_audit_change();

-- The only way for a role that serves, which may not delete, to let old rows go:
-- the oldest ones before a time, a batch or a little more. It returns how many.
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

-- What is created here runs on the tables here, whatever schema a caller looks in.
-- +goose StatementBegin
do $$
begin
    execute format('alter function expire_audit_log(timestamptz, integer) set search_path = %I, pg_temp', current_schema());
end $$;
-- +goose StatementEnd
revoke execute on function expire_audit_log(timestamptz, integer) from public;

-- How far codes are sealed anew with the newest key. One row.
create table reseals (
    id            boolean     not null default true,
    key_id        bigint      not null, -- the key to seal with
    first_seen_at timestamptz not null, -- the key, as the newest
    pass_began_at timestamptz not null,
    program_id    bytea,      -- the card looked at last in this pass; null at its beginning
    card_id       bytea,
    resealed      bigint      not null default 0, -- cards, in all passes
    finished_at   timestamptz, -- nothing is sealed with another key any more
    constraint reseals_pkey primary key (id),
    constraint reseals_id_check check (id)
);

create index bulk_tasks_finished_idx on bulk_tasks (created_at) where status in ('completed', 'failed');

-- +goose Down
drop index bulk_tasks_finished_idx;
drop table reseals, audit_log;
drop function expire_audit_log(timestamptz, integer);
drop function refuse_audit_change();
alter table users drop column role, drop column tokens_valid_after;

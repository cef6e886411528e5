-- +goose Up

-- A world is the part of a sandbox that one suite of tests uses: merchants of its own. Only a
-- sandbox has worlds.
create table worlds (
    name         text        not null,
    merchant_id  bytea       not null,
    program_id   bytea       not null,
    neighbour_id bytea       not null,
    created_at   timestamptz not null,
    constraint worlds_pkey primary key (name),
    constraint worlds_name_check check (length(name) between 1 and 100),
    constraint worlds_merchant_id_fkey foreign key (merchant_id) references merchants (id),
    constraint worlds_neighbour_id_fkey foreign key (neighbour_id) references merchants (id)
);
comment on table worlds is 'The worlds of a sandbox: each is a merchant with everything that belongs to it, for one suite of tests. A real server has none.';
comment on column worlds.name is 'Identifies the world; its maker chooses it.';
comment on column worlds.merchant_id is 'The merchant of the world.';
comment on column worlds.program_id is 'The program of the merchant that is meant if a test names none.';
comment on column worlds.neighbour_id is 'Another merchant, so that a test has something that it must not reach.';
comment on column worlds.created_at is 'When the world was made.';

-- The ledger and the audit log are append-only. Only a sandbox may delete their entries, with
-- their world. So a real database must never become a sandbox.
-- +goose StatementBegin
create function refuse_installation_change() returns trigger language plpgsql as $$
begin
    raise exception 'a database stays what it was installed as' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd
create trigger installation_never_changes before update or delete or truncate on installation
    for each statement execute function refuse_installation_change();

-- In a sandbox an entry may be deleted after its program was deleted. As long as the program
-- exists, its entries are append-only in a sandbox, too. A real server never deletes a program.
-- +goose StatementBegin
create or replace function refuse_ledger_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if exists (select from installation i where i.sandbox) and not exists (select from programs p where p.id = old.program_id) then
            return old;
        end if;
    end if;
    raise exception 'the ledger is append-only' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

-- The same for the audit log and the merchant of an entry.
-- +goose StatementBegin
create or replace function refuse_audit_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.at < now() - interval '30 days' then
            return old;
        end if;
        if old.merchant_id is not null and exists (select from installation i where i.sandbox)
            and not exists (select from merchants m where m.id = old.merchant_id) then
            return old;
        end if;
    end if;
    raise exception 'the audit log is append-only for 30 days' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

-- The functions read the tables of this schema, whatever search_path the caller has set. Else a
-- caller could let them read another table called installation, and pass for a sandbox.
-- +goose StatementBegin
do $$
begin
    execute format('alter function refuse_ledger_change() set search_path = %I, pg_temp', current_schema());
    execute format('alter function refuse_audit_change() set search_path = %I, pg_temp', current_schema());
end $$;
-- +goose StatementEnd

insert into schema_compatibility (schema, oldest_program) values (8, 1);

-- +goose Down
delete from schema_compatibility where schema = 8;
-- +goose StatementBegin
create or replace function refuse_audit_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.at < now() - interval '30 days' then
            return old;
        end if;
    end if;
    raise exception 'the audit log is append-only for 30 days' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd
-- +goose StatementBegin
create or replace function refuse_ledger_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only' using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd
drop trigger installation_never_changes on installation;
drop function refuse_installation_change();
drop table worlds;

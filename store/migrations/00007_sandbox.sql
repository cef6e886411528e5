-- +goose Up

-- The first start writes the one row. It never changes, so a sandbox always stays a sandbox.
create table installation (
    one     boolean not null default true,
    sandbox boolean not null,
    constraint installation_pkey primary key (one),
    constraint installation_one_check check (one)
);
comment on table installation is 'The kind of installation that this database belongs to, in one row.';
comment on column installation.one is 'Always true, so that there is only one row.';
comment on column installation.sandbox is 'Whether this is a sandbox, whose answers and faults a client may choose.';

-- A database that has been used before this migration is no sandbox.
insert into installation (sandbox) select false where exists (select from merchants);

insert into schema_compatibility (schema, oldest_program) values (7, 1);

-- +goose Down
delete from schema_compatibility where schema = 7;
drop table installation;

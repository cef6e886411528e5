-- +goose Up

-- For each schema, the oldest schema whose programs may run on it too. Each migration
-- from here on adds its row. An older program does not start on a schema without one.
create table schema_compatibility (
    schema         bigint not null, -- as goose numbers it
    oldest_program bigint not null, -- programs made for this schema or a later one may run
    constraint schema_compatibility_pkey primary key (schema),
    constraint schema_compatibility_oldest_program_check check (oldest_program <= schema)
);

-- compatible with 12: programs from before do not look at this table.
insert into schema_compatibility (schema, oldest_program) values (12, 12);

-- +goose Down
drop table schema_compatibility;

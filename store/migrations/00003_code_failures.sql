-- +goose Up

-- One row for each number that somebody has lately given a wrong security code for. A number
-- that no card has gets a row too, so that a lock tells nobody which numbers exist.
create table code_failures (
    number_hash bytea         not null,
    failed_at   timestamptz[] not null,
    last_at     timestamptz   not null,
    constraint code_failures_pkey primary key (number_hash),
    constraint code_failures_number_hash_check check (octet_length(number_hash) = 8),
    constraint code_failures_failed_at_check check (cardinality(failed_at) between 1 and 5)
);
create index code_failures_last_at_idx on code_failures (last_at);
comment on table code_failures is 'The wrong security codes of the last minutes, by card number. Five of them lock the number for a while.';
comment on column code_failures.number_hash is 'A keyed hash of the number; the key is in the key file.';
comment on column code_failures.failed_at is 'When the wrong codes were given, oldest first.';
comment on column code_failures.last_at is 'The last of them.';

-- A consolidation may make a card of less than a cent. The least value of a request that issues
-- cards is still 0.01. The check is not valid, so that the table is not read while it is locked.
alter table gift_cards drop constraint gift_cards_initial_value_check,
    add constraint gift_cards_initial_value_check check (initial_value > 0 and initial_value <= 10000) not valid;

insert into schema_compatibility (schema, oldest_program) values (3, 1);

-- +goose Down
delete from schema_compatibility where schema = 3;
alter table gift_cards drop constraint gift_cards_initial_value_check,
    add constraint gift_cards_initial_value_check check (initial_value between 0.01 and 10000) not valid;
drop table code_failures;

-- +goose Up

-- Reloads count towards the daily limits on value, because money on a card is worth the same
-- however it came there.
comment on table issuing_limits is 'The limits on the cards that may be promised on one day, and on their value and that of reloads, in a program or by a user.';
comment on column issuing_limits.value_per_day is 'The highest sum of initial values and reloads; null: no limit.';
comment on table issued_totals is 'The cards promised on each day, and their value and that of reloads, in programs and by users that had a limit at that time.';
comment on column issued_totals.value is 'The sum of their initial values and of the reloads.';

insert into schema_compatibility (schema, oldest_program) values (15, 1);

-- +goose Down
delete from schema_compatibility where schema = 15;
comment on table issuing_limits is 'The limits on the cards that may be promised on one day, in a program or by a user.';
comment on column issuing_limits.value_per_day is 'The highest sum of initial values; null: no limit.';
comment on table issued_totals is 'The cards promised on each day in programs and by users that had a limit at that time.';
comment on column issued_totals.value is 'The sum of their initial values.';

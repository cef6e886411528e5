-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may run again after the migration was broken off.
-- PostgreSQL parses a check again in each statement that inserts. The check of an entry's type
-- was so long that this took a sixth of a redemption. PostgreSQL compiles a function in plpgsql
-- only once for each session. The rule itself stays the same.
-- +goose StatementBegin
create or replace function entry_fits_type(type text, amount numeric, balance_before numeric, balance_after numeric) returns boolean
language plpgsql immutable parallel safe as $$
begin
    return case type
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
        else false end;
end $$;
-- +goose StatementEnd

-- One statement exchanges the checks, so that no entry is written without one. The new check is
-- not valid, so that the table is not read while it is locked.
alter table ledger_entries drop constraint if exists ledger_entries_type_check,
    add constraint ledger_entries_type_check check (entry_fits_type(type, amount, balance_before, balance_after)) not valid;
alter table ledger_entries validate constraint ledger_entries_type_check;

insert into schema_compatibility (schema, oldest_program) values (12, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 12;
alter table ledger_entries drop constraint ledger_entries_type_check,
    add constraint ledger_entries_type_check check (case type
        when 'ACTIVATION' then amount > 0 and balance_before = 0
        when 'RELOAD' then amount > 0
        when 'TRANSFER_IN' then amount > 0
        when 'REDEMPTION' then amount < 0
        when 'TRANSFER_OUT' then amount < 0
        when 'VOID' then amount <= 0 and balance_after = 0
        when 'REFUND' then amount > 0 or amount < 0 and balance_after = 0
        when 'CONSOLIDATION' then amount < 0 and balance_after = 0 or amount > 0 and balance_before = 0
        when 'OWNERSHIP_TRANSFER' then amount = 0
        when 'RESEND_CODE' then amount = 0
        else false end) not valid;
alter table ledger_entries validate constraint ledger_entries_type_check;
drop function entry_fits_type(text, numeric, numeric, numeric);

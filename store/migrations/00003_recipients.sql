-- +goose Up

-- Who a task's cards are for, thousands a row: a row each, as in bulk_recipients,
-- cost more than the cards. Gone once the task is finished. Servers of schema 2
-- still write to bulk_recipients, and workers look there too; the table goes in the
-- version after.
create table task_recipients (
    program_id bytea   not null,
    task_id    uuid    not null,
    first      integer not null, -- position of the first of them in the request, from 0
    recipients bytea   not null, -- JSON, compressed with S2
    constraint task_recipients_pkey primary key (program_id, task_id, first)
);
alter table task_recipients alter column recipients set storage external; -- it is compressed already

-- +goose Down
drop table task_recipients;

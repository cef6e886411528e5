-- +goose Up

-- Whose task it is, so that a user who may no longer issue gets no cards from a
-- task either. Servers of schema 4 go on meanwhile: their tasks belong to nobody,
-- and nobody is asked about them.
alter table bulk_tasks
    add column user_id            bytea,       -- who asked for the cards; null in tasks of schema 4 and before
    add column tokens_valid_after timestamptz; -- the user's, when the task was added: a later one ends the task

-- The unfinished cards of a merchant are counted whenever a task is added.
create index bulk_tasks_unfinished_program_idx on bulk_tasks (program_id) where status in ('pending', 'processing');

-- Tasks that an operator has cancelled and that are not finished yet. A worker keeps
-- the task's own row locked for its whole transaction and looks here meanwhile. No
-- foreign key, because that would lock the task's row too.
create table task_cancellations (
    program_id bytea       not null,
    task_id    uuid        not null,
    created_at timestamptz not null,
    constraint task_cancellations_pkey primary key (program_id, task_id)
);

-- +goose Down
drop table task_cancellations;
drop index bulk_tasks_unfinished_program_idx;
alter table bulk_tasks drop column user_id, drop column tokens_valid_after;

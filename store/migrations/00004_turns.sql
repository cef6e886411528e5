-- +goose Up

-- Messages of tasks are sent in turn, a program after the other, those of cards that
-- were issued at once by their time alone. Servers of schema 3 go on meanwhile, and
-- look longer for what is due.
drop index messages_due_idx;
create index messages_due_idx on messages (channel, next_attempt_at) where status = 'scheduled' and not bulk;
create index messages_task_due_idx on messages (channel, program_id, next_attempt_at) where status = 'scheduled' and bulk;

-- +goose Down
drop index messages_due_idx, messages_task_due_idx;
create index messages_due_idx on messages (channel, bulk, next_attempt_at) where status = 'scheduled';

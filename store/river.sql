-- For sqlc alone: what our queries use of River's table, which River's own
-- migrations make.
create type river_job_state as enum ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled');
create table river_job (
    id           bigint          not null primary key,
    state        river_job_state not null,
    queue        text            not null,
    scheduled_at timestamptz     not null,
    attempted_at timestamptz
);

-- +goose Up

alter table messages
    add column sequence smallint not null default 0, -- how often it was sent once more on purpose
    drop constraint messages_status_check,
    add constraint messages_status_check check (status in ('scheduled', 'sent', 'written', 'failed', 'dropped'));

drop index messages_unsent_idx;
create index messages_unsent_idx on messages (status, send_at) where status in ('written', 'failed', 'dropped');

-- The database that messages are sent from. It differs from the database that this
-- table is in when that is a restored copy, which sends nothing. One row, written by
-- the first server that delivers.
create table message_origins (
    id           boolean not null default true,
    system       bigint  not null, -- PostgreSQL's identifier of the cluster; a standby has the same
    database_oid bigint  not null, -- of the database in it; a restored database has another
    constraint message_origins_pkey primary key (id),
    constraint message_origins_id_check check (id)
);

-- +goose Down
drop table message_origins;
drop index messages_unsent_idx;
create index messages_unsent_idx on messages (status, send_at) where status in ('failed', 'dropped');
update messages set status = 'failed', last_error = 'it was only written to a file' where status = 'written';
alter table messages
    drop constraint messages_status_check,
    add constraint messages_status_check check (status in ('scheduled', 'sent', 'failed', 'dropped')),
    drop column sequence;

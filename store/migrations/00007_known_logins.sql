-- +goose Up

-- The networks from which each user has logged in. Logins from there have a quota
-- and a place in the queue of their own, so that nobody else can use them up. Servers
-- of earlier schemas neither read nor write this table.
create table known_logins (
    user_id   bytea       not null,
    network   bytea       not null, -- a hash of the user's name and the network
    last_seen timestamptz not null, -- exact to a day
    constraint known_logins_pkey primary key (user_id, network),
    constraint known_logins_user_id_fkey foreign key (user_id) references users (id)
);

create index known_logins_last_seen_idx on known_logins (last_seen);

-- +goose Down
drop table known_logins;

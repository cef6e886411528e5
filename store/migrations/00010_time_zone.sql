-- +goose Up

-- The zone in which the days of a program's messages begin and end: a name of the IANA
-- time zone database. Servers of the schema before write UTC.
alter table programs add column time_zone text not null default 'UTC';

-- +goose Down
alter table programs drop column time_zone;

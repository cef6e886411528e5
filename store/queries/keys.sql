-- name: FindKeyCheck :one
select sealed from key_checks;

-- name: InsertKeyCheck :exec
-- Keeps the first.
insert into key_checks (sealed) values ($1) on conflict do nothing;

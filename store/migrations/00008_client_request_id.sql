-- +goose Up

-- The caller's own X-Request-Id, which proves nothing. request_id is the server's.
alter table audit_log add column client_request_id text;

-- +goose Down
alter table audit_log drop column client_request_id;

-- name: FindCapacity :one
-- Any role may ask. The settings are those of the session.
select pg_relation_size('gift_cards_number_idx') as card_number_index,
    pg_size_bytes(current_setting('shared_buffers')) as shared_buffers,
    pg_size_bytes(current_setting('max_wal_size')) as max_wal_size,
    current_setting('wal_compression') as wal_compression;

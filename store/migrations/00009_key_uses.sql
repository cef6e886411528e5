-- +goose Up

-- How many security codes each key has sealed, because AES-GCM with random nonces
-- allows about 2^32 for one key. A key that was retired keeps its row.
create table key_uses (
    key_id bigint not null,
    sealed bigint not null,
    constraint key_uses_pkey primary key (key_id),
    constraint key_uses_sealed_check check (sealed >= 0)
);

-- The codes that are there. Tink puts a version byte and the key's id in front.
insert into key_uses (key_id, sealed)
select get_byte(sealed_code, 1)::bigint * 16777216 + get_byte(sealed_code, 2) * 65536 + get_byte(sealed_code, 3) * 256 + get_byte(sealed_code, 4), count(*)
from gift_cards where octet_length(sealed_code) > 5 group by 1;

-- +goose Down
drop table key_uses;

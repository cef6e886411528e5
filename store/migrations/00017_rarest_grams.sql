-- +goose Up

-- The four rarest of the parts that search_grams cuts a text into, by the statistics of
-- gift_cards_text_idx. A search for them reads far less of the index than one for all parts,
-- because many cards have those of "@gmail.com". Only the owner may read the statistics.
-- +goose StatementBegin
create or replace function rarest_grams(content text) returns text[] language sql stable strict parallel safe security definer as $$
    with common as (
        select unnest(most_common_elems::text::text[]) as gram, unnest(most_common_elem_freqs) as share
        from pg_stats where schemaname = current_schema() and tablename = 'gift_cards_text_idx'
    )
    select coalesce(array_agg(gram), '{}') from (
        select gram from unnest(search_grams(content)) as gram left join common using (gram)
        order by coalesce(share, 0), gram limit 4
    ) as rarest
$$;
-- +goose StatementEnd

-- The function uses what this schema has, whatever search_path its caller has set, because it
-- runs as the owner.
-- +goose StatementBegin
do $$
begin
    execute format('alter function rarest_grams(text) set search_path = %I, pg_temp', current_schema());
end $$;
-- +goose StatementEnd

insert into schema_compatibility (schema, oldest_program) values (17, 1) on conflict do nothing;

-- +goose Down
delete from schema_compatibility where schema = 17;
drop function if exists rarest_grams(text);

-- TMDB's number as the app writes it; null: the text is none.
create or replace function tmdb_number(p_text text) returns integer
language sql immutable set search_path = pg_catalog as $$
    select case
        when p_text ~ '^[1-9][0-9]{0,9}$' and p_text::bigint <= 2147483647 then p_text::integer
    end
$$;

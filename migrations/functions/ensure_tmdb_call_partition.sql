-- Makes the partition of a day, as the owner of the tables.
create or replace function ensure_tmdb_call_partition(p_day date) returns void
language plpgsql security definer set search_path = mangoes, pg_temp as $$
declare
    name text := 'tmdb_call_' || to_char(p_day, 'YYYYMMDD');
begin
    if to_regclass('mangoes.' || name) is null then
        execute format(
            'create table if not exists mangoes.%I partition of mangoes.tmdb_call
             for values from (%L) to (%L)',
            name, p_day::text || ' 00:00:00+00', (p_day + 1)::text || ' 00:00:00+00'
        );
    end if;
exception when others then
    -- Another process made it at the same moment, or rows of that day are in the default partition:
    -- both keep the log whole.
    null;
end $$;

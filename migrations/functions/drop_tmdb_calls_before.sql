-- Drops the partitions of days before `p_cutoff`, as the owner of the tables; returns how many. A
-- long reader makes it fail instead of blocking the log.
create or replace function drop_tmdb_calls_before(p_cutoff date) returns integer
language plpgsql security definer set search_path = mangoes, pg_temp set lock_timeout = '2s' as $$
declare
    part record;
    dropped integer := 0;
begin
    for part in
        select c.relname
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'mangoes.tmdb_call'::regclass
            and c.relname ~ '^tmdb_call_[0-9]{8}$'
            and c.relname < 'tmdb_call_' || to_char(p_cutoff, 'YYYYMMDD')
    loop
        execute format('drop table mangoes.%I', part.relname);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

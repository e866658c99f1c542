-- Makes the partition of a day, as the owner of the tables. Nobody has a right on it, whatever the
-- database grants by default: it is read and written through the table that it is a part of.
create or replace function ensure_tmdb_call_partition(p_day date) returns void
language plpgsql security definer set search_path = mangoes, pg_temp as $$
declare
    name text := 'tmdb_call_' || to_char(p_day, 'YYYYMMDD');
    role text;
begin
    if to_regclass('mangoes.' || name) is not null then
        return;
    end if;
    execute format(
        'create table if not exists mangoes.%I partition of mangoes.tmdb_call
         for values from (%L) to (%L)',
        name, p_day::text || ' 00:00:00+00', (p_day + 1)::text || ' 00:00:00+00'
    );
    for role in
        select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
        from pg_class c, aclexplode(c.relacl) a
        where c.oid = to_regclass('mangoes.' || name) and a.grantee <> c.relowner
    loop
        execute format('revoke all on mangoes.%I from %s cascade', name, role);
    end loop;
exception when others then
    -- Another process made it at the same moment, or rows of that day are in the default partition:
    -- both keep the log whole.
    null;
end $$;

-- The schema that this one replaces has functions of the same names with other parameter names or columns, which
-- `create or replace` refuses. They go; the next migration makes them anew. Ours are told by their parameter names.
do $$
declare f record;
begin
    for f in
        select p.oid::regprocedure as signature from pg_proc p
        where p.pronamespace = current_schema()::regnamespace and p.prokind = 'f'
          and (p.proname = 'is_stale' and p.proargnames[1] is distinct from 'p_work_id'
            or p.proname = 'get_stale_movies' and p.proargnames[1] is distinct from 'p_limit'
            or p.proname = 'calculate_staleness_days' and p.pronargs = 1)
    loop
        execute format('drop function %s', f.signature);
    end loop;
end $$;

-- Notes why something of the app's could not be written. Nobody waits for it: where another session
-- notes the same at this moment, that is enough.
create or replace function note_bookkeeping_problem(p_table text, p_problem text) returns void
language plpgsql security definer set search_path = mangoes, pg_temp set lock_timeout = '50ms' as $$
begin
    insert into bookkeeping_problem as b (table_name, problem)
    values (p_table, p_problem)
    on conflict (table_name) do update set
        problem = excluded.problem,
        times = b.times + 1,
        last_at = now();
exception when lock_not_available then
    null;
end $$;

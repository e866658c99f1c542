create or replace function note_bookkeeping_problem(p_table text, p_problem text) returns void
language sql security definer set search_path = mangoes, pg_temp as $$
    insert into bookkeeping_problem as b (table_name, problem)
    values (p_table, p_problem)
    on conflict (table_name) do update set
        problem = excluded.problem,
        times = b.times + 1,
        last_at = now()
$$;

-- The public, stable id of a run: job and nominal time.
create or replace function run_id_of(p_job text, p_at timestamptz) returns text
language sql stable set search_path from current as $$
    select p_job || '@' || to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || case
            when extract(microseconds from p_at)::bigint % 1000000 = 0 then ''
            else to_char(p_at at time zone 'UTC', '.US')
        end
        || 'Z'
$$;

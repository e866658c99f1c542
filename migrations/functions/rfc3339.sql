create or replace function rfc3339(p_at timestamptz) returns text
language sql stable set search_path from current as $$
    select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

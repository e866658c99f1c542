-- Days between two looks at a movie of this age.
create or replace function staleness_days(p_release_date date, p_at timestamptz default now())
returns integer
language sql stable set search_path from current as $$
    select (extract(epoch from f.stale_at - p_at) / 86400)::integer
    from freshness_of(p_release_date, p_at, true) f
$$;

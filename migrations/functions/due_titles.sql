-- Movies that are due and that nobody refreshes yet, the longest due first.
--
-- Planned at each call, for the limit that is given: a plan for any limit reads the whole index,
-- and one that was made while the tables were empty stays with their sequential scans. No part of
-- it pays for a worker or for compiled code.
create or replace function due_titles(p_limit integer) returns table (
    work_id bigint, tmdb_id integer, title text, release_date date,
    last_refreshed_at timestamptz, due_at timestamptz
)
language plpgsql stable set search_path from current set plan_cache_mode = force_custom_plan
set max_parallel_workers_per_gather = 0 set enable_bitmapscan = off set jit = off
as $$
begin
    return query
    select t.work_id, t.tmdb_id, w.title, w.release_date, w.last_refreshed_at, t.due_at
    from title t
    join works w using (work_id)
    where t.removed_at is null
        and t.tmdb_id is not null
        and t.scan_at <= now()
        and not exists (
            select 1
            from refresh_item i
            where i.work_id = t.work_id and i.status in ('queued', 'processing')
        )
    order by t.scan_at
    limit p_limit;
end $$;

-- Runs to which nothing has happened for longer than their job allows, and that no row carries: a
-- message may still do so.
create or replace function quiet_runs() returns table (run_id text, action text)
language sql stable set search_path from current as $$
    select r.run_id, r.action
    from job_run r
    left join job j on j.name = r.job
    where r.status in ('queued', 'running')
        and r.touched_at < now() - make_interval(secs => coalesce(j.lost_after_secs, 60))
        and not exists (select 1 from outbox where published_at is null)
        and not exists (
            select 1
            from refresh_item i
            where i.run_id = r.run_id and i.status in ('queued', 'processing')
        )
    order by r.touched_at
$$;

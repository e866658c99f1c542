-- Which process began the last try of a message: one that still lives did not die of it.
alter table attempt add column holder text;

-- Instants of a job lie in time: neither the program nor a table of people can show 'infinity'.
update job set paused_until = null where not isfinite(paused_until);
update job set starts_at = null where not isfinite(starts_at);
update job set ends_at = null where not isfinite(ends_at);
alter table job add constraint job_instants_are_finite
    check (isfinite(coalesce(paused_until, 'epoch')) and isfinite(coalesce(starts_at, 'epoch')) and isfinite(coalesce(ends_at, 'epoch')));

-- Runs to which nothing has happened for longer than their job allows, and that no row carries: a message may still do so.
create function quiet_runs() returns table (run_id text, action text) language sql stable as $$
    select r.run_id, r.action from job_run r left join job j on j.name = r.job
    where r.status in ('queued', 'running') and r.touched_at < now() - make_interval(secs => coalesce(j.lost_after_secs, 60))
        and not exists (select 1 from outbox where published_at is null)
        and not exists (select 1 from refresh_queue q where q.run_id = r.run_id and q.status in ('queued', 'processing'))
    order by r.touched_at
$$;

-- Whether the last try of a message ended without a word, and its process lives all the same.
create function outlived(a attempt) returns boolean language sql stable as $$
    select a.started > a.failed and exists (select 1 from pg_stat_activity s where s.application_name = a.holder)
$$;

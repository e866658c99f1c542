-- Changes what `edit` names; null takes a limit away.
create or replace function job_set(name text, edit jsonb) returns void
language plpgsql set search_path from current as $$
begin
    perform job_known(job_set.name);
    update job j
    set (
        schedule, timezone, payload, dst_gap, dst_overlap, overlap_policy, catch_up_secs,
        catch_up_max, starts_at, ends_at, pause_after_failures, exclusions, jitter_secs,
        max_runs, overdue_after_secs, lost_after_secs, lost_retries
    ) = (
        select
            r.schedule, r.timezone, r.payload, r.dst_gap, r.dst_overlap, r.overlap_policy,
            r.catch_up_secs, r.catch_up_max, r.starts_at, r.ends_at, r.pause_after_failures,
            r.exclusions, r.jitter_secs, r.max_runs, r.overdue_after_secs, r.lost_after_secs,
            r.lost_retries
        from jsonb_populate_record(j, job_set.edit) r
    )
    where j.name = job_set.name;
    if job_set.edit ? 'overdue_after_secs' then
        update job j
        set overdue_since = null
        where j.name = job_set.name;
    end if;
end $$;

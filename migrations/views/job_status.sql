-- What pg_cron's users know as cron.job.
create or replace view job_status as
    select
        row_number() over (order by created_at, name) as jobid,
        name as jobname,
        schedule,
        timezone,
        enabled as active,
        action,
        payload,
        next_at,
        note,
        paused_by,
        paused_until,
        (
            select status
            from job_run r
            where r.job = job.name and r.status <> 'skipped'
            order by fired_at desc
            limit 1
        ) as last_status
    from job;

-- What pg_cron's users know as cron.job_run_details.
create or replace view job_run_details as
    select
        run_id as runid,
        job as jobname,
        status,
        coalesce(
            error,
            reason,
            format('%s checked, %s skipped, %s done, %s failed', checked, skipped, done, failed)
        ) as return_message,
        coalesce(started_at, fired_at) as start_time,
        ended_at as end_time,
        scheduled_for,
        trigger_type,
        requested_by
    from job_run;

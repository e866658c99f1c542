-- `movies.run.<job>`: where a run stands.
create or replace function run_event(
    p_run text, p_status text, p_error text default null
) returns void
language sql set search_path from current as $$
    select outbox_add(
        'movies.run.' || job,
        'movies.run.v1',
        run_id || ':' || case
            when p_status = 'progress' then 'progress:' || checked - pending
            when p_status in ('succeeded', 'partial', 'failed') then 'ended'
            else p_status
        end,
        job,
        run_id,
        jsonb_strip_nulls(jsonb_build_object(
            'job', job,
            'run_id', run_id,
            'status', p_status,
            'trigger_type', trigger_type,
            'counts', jsonb_build_object(
                'checked', checked,
                'skipped', skipped,
                'done', done,
                'failed', failed,
                'not_needed', not_needed,
                'cancelled', cancelled,
                'pending', pending
            ),
            'at', rfc3339(now()),
            'error', p_error
        ))
    )
    from job_run
    where run_id = p_run
$$;

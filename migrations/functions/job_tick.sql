-- Sends the tick of a run.
create or replace function job_tick(p_run text) returns void
language sql set search_path from current as $$
    select outbox_add(
        'movies.tick.' || action || '.' || job,
        'movies.tick.v1',
        'tick:' || run_id,
        job,
        run_id,
        jsonb_build_object(
            'job', job,
            'action', action,
            'scheduled_for', rfc3339(scheduled_for),
            'fired_at', rfc3339(fired_at),
            'trigger_type', trigger_type,
            'run_id', run_id,
            'payload', payload
        )
    )
    from job_run
    where run_id = p_run
$$;

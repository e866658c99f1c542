-- Announces the jobs that had no success for longer than they allow, once each. Returns how many.
-- One that somebody holds locked is announced later.
create or replace function job_note_overdue() returns bigint
language sql set search_path from current as $$
    with late as (
        update job
        set overdue_since = now()
        where name in (
            select j.name
            from job j
            where j.overdue_after_secs is not null
                and j.overdue_since is null
                and now() - make_interval(secs => j.overdue_after_secs) > (
                    select coalesce(max(r.ended_at), j.updated_at)
                    from job_run r
                    where r.job = j.name and r.status = 'succeeded'
                )
            for update skip locked
        )
        returning name, overdue_after_secs, enabled, note
    ),
    announced as (
        select outbox_add(
            'movies.run.' || name,
            'movies.run.v1',
            name || ':overdue:' || rfc3339(now()),
            name,
            name,
            jsonb_build_object(
                'job', name,
                'run_id', run_id_of(name, now()),
                'status', 'overdue',
                'trigger_type', 'scheduled',
                'counts', jsonb_build_object(
                    'checked', 0, 'skipped', 0, 'done', 0, 'failed', 0, 'not_needed', 0
                ),
                'at', rfc3339(now()),
                'error', format(
                    'no success for more than %s s%s',
                    overdue_after_secs,
                    case
                        when enabled then ''
                        else '; the job is paused' || coalesce(': ' || note, '')
                    end
                )
            )
        ) as sent
        from late
    )
    select count(*) from announced
$$;

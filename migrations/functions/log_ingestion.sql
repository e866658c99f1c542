-- Shows a run of a list that has ended in the app's scheduled_ingestion_log.
create or replace function log_ingestion(p_run text) returns void
language sql set search_path from current as $$
    select insert_into_app('scheduled_ingestion_log', jsonb_build_array(jsonb_build_object(
        'source', coalesce(r.payload ->> 'source', r.job),
        'movies_checked', r.checked,
        'movies_skipped', r.skipped,
        'movies_ingested', r.done,
        'movies_failed', r.failed,
        'ingested_titles', array(
            select format('%s (%s)', coalesce(w.title, i.title, i.tmdb_id::text),
                coalesce(w.year::text, '?'))
            from job_run_item i
            left join title t using (tmdb_id)
            left join works w using (work_id)
            where i.run_id = r.run_id and i.state = 'done'
            order by w.title
        ),
        'failed_titles', array(
            select format('%s: %s', coalesce(i.title, 'TMDB ' || i.tmdb_id),
                coalesce(i.error, 'unknown'))
            from job_run_item i
            where i.run_id = r.run_id and i.state = 'failed'
            order by i.tmdb_id
        ),
        'duration_ms',
            (extract(epoch from now() - coalesce(r.started_at, r.fired_at)) * 1000)::bigint,
        'trigger_type',
            case when r.trigger_type in ('manual', 'backfill') then 'manual' else 'scheduled' end,
        'error_message', coalesce(r.error, r.reason),
        'run_at', coalesce(r.started_at, r.fired_at),
        'created_at', now()
    )))
    from job_run r
    where r.run_id = p_run and r.action = 'ingest'
$$;

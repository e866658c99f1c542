-- A list that somebody asked for is in the broker alone until its pages are read; its run remembers
-- what was asked for. When the broker lost it, it is sent again for the same run. Returns how many.
create or replace function lists_again(p_run text default null) returns bigint
language sql set search_path from current as $$
    with open as (
        update job_run r
        set attempts = attempts + 1, touched_at = now()
        where (p_run is null or run_id = p_run)
            and status = 'running'
            and action = 'ingest'
            and checked = 0
            and not exists (select 1 from job j where j.name = r.job)
            and payload ? 'source'
            and attempts <= 5
        returning run_id, attempts, trigger_type, payload
    ),
    sent as (
        select outbox_add(
            'movies.ingest.list',
            'movies.ingest.list.v1',
            run_id || ':again:' || attempts,
            run_id,
            run_id,
            jsonb_build_object(
                'source', payload -> 'source',
                'max_movies', payload -> 'max_movies',
                'trigger_type', trigger_type,
                'run_id', run_id
            )
        ) as done
        from open
    )
    select count(*) from sent
$$;

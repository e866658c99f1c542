-- A list that somebody asked for lies in the broker alone until its pages are read; its run remembers what was asked for. When the
-- broker lost it, it is sent again for the same run. Returns how many.
create function lists_again(p_run text default null) returns bigint language sql as $$
    with open as (
        update job_run r set attempts = attempts + 1, touched_at = now()
        where (p_run is null or run_id = p_run) and status = 'running' and action = 'ingest' and checked = 0
            and not exists (select 1 from job j where j.name = r.job) and payload ? 'source' and attempts <= 5
        returning run_id, attempts, trigger_type, payload),
    sent as (
        select outbox_add('movies.ingest.list', 'movies.ingest.list.v1', run_id || ':again:' || attempts, run_id, run_id,
            jsonb_build_object('source', payload -> 'source', 'max_movies', payload -> 'max_movies', 'trigger_type', trigger_type, 'run_id', run_id)) as done
        from open)
    select count(*) from sent
$$;

-- As before, but a list by hand is sent again first.
alter function run_lost(text) rename to run_ends_as_lost;
create function run_lost(p_run text) returns text language plpgsql as $$
begin
    if lists_again(p_run) > 0 then
        return p_run;
    end if;
    return run_ends_as_lost(p_run);
end $$;

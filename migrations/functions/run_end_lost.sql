-- Ends a run that no message carries any more; another begins in its place as its job says. Returns
-- that one.
create or replace function run_end_lost(p_run text) returns text
language plpgsql set search_path from current as $$
declare
    why constant text := 'nothing happened to it and no message carries it';
    run record;
    again record;
    gone bigint;
begin
    select * into run
    from job_run
    where run_id = p_run and ended_at is null and status in ('queued', 'running')
    for update;
    if not found then
        return null;
    end if;
    update job_run_item
    set state = 'failed', error = 'its message vanished'
    where run_id = p_run and state = 'pending';
    get diagnostics gone = row_count;
    update job_run
    set status = 'lost', ended_at = now(), failed = failed + gone, pending = 0,
        error = why
    where run_id = p_run;
    perform run_event(p_run, 'lost', why);
    select begun into again
    from job j, job_begin(
        j.name, clock_timestamp(), 'catch_up', run.action, run.payload, 'queue_all',
        'instead of ' || p_run || ', which was lost'
    )
    where j.name = run.job and run.attempts <= j.lost_retries;
    update job_run
    set attempts = run.attempts + 1
    where run_id = again.begun;
    return again.begun;
end $$;

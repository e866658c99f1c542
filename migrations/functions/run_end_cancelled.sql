-- Ends a run as cancelled, with its queue rows and items. False: it is over, or there is none.
create or replace function run_end_cancelled(p_run text, p_note text) returns boolean
language plpgsql set search_path from current as $$
declare
    words text := 'cancelled by ' || author() || coalesce(': ' || p_note, '');
    gone bigint;
begin
    -- The queue before the run, as the writer locks them. A row that the writer has locked is done
    -- in a moment.
    update refresh_item
    set status = 'failed',
        processed_at = now(),
        lease_until = null,
        last_error = 'its run was ' || words
    where id in (
        select id
        from refresh_item
        where run_id = p_run and status in ('queued', 'processing')
        for update skip locked
    );
    perform 1 from job_run where run_id = p_run and ended_at is null for update;
    if not found then
        return false;
    end if;
    update job_run_item
    set state = 'cancelled'
    where run_id = p_run and state = 'pending';
    get diagnostics gone = row_count;
    update job_run
    set status = 'cancelled', ended_at = now(), reason = words,
        cancelled = gone, pending = 0
    where run_id = p_run;
    perform log_ingestion(p_run);
    perform run_event(p_run, 'cancelled', words);
    perform pg_notify('mangoes_jobs', p_run);
    return true;
end $$;

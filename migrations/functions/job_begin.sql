-- Begins a run under the job's overlap policy; the caller holds the job's row. Returns what became
-- of it (queued, waiting, skipped; there: its nominal time has a run) and the run in the way. A run
-- by hand that may not begin leaves no row: its caller is told.
create or replace function job_begin(
    p_job text, p_at timestamptz, p_trigger text, p_action text, p_payload jsonb, p_policy text,
    p_note text,
    out begun text, out outcome text, out blocker text
)
language plpgsql set search_path from current as $$
declare
    waits boolean;
    other record;
begin
    begun := run_id_of(p_job, p_at);
    select run_id into blocker
    from job_run
    where job = p_job and status in ('queued', 'running')
    order by scheduled_for
    limit 1;
    select exists (select 1 from job_run where job = p_job and status = 'waiting') into waits;
    outcome := case
        when p_policy = 'skip' and (blocker is not null or waits) then 'skipped'
        when p_policy = 'queue_one' and waits then 'skipped'
        when p_policy in ('queue_one', 'queue_all') and (blocker is not null or waits)
            then 'waiting'
        else 'queued'
    end;
    if outcome = 'skipped' and blocker is null then
        select run_id into blocker
        from job_run
        where job = p_job and status = 'waiting'
        order by scheduled_for
        limit 1;
    end if;
    if outcome = 'skipped' and p_trigger = 'manual' then
        return;
    end if;
    if p_policy = 'cancel_other' then
        for other in
            select run_id
            from job_run
            where job = p_job and status in ('waiting', 'queued', 'running')
            order by run_id
        loop
            perform run_end_cancelled(other.run_id, 'another run of the job begins');
        end loop;
    end if;
    insert into job_run (
        run_id, job, action, scheduled_for, fired_at, trigger_type, requested_by, payload, status,
        reason, ended_at
    )
    values (
        begun, p_job, p_action, p_at, clock_timestamp(), p_trigger,
        case when p_trigger in ('manual', 'backfill') then author() end,
        p_payload,
        outcome,
        case
            when outcome = 'skipped' then 'overlap: ' || blocker || ' is not over'
            else p_note
        end,
        case when outcome = 'skipped' then now() end
    )
    on conflict (job, scheduled_for) do update set
        status = excluded.status,
        trigger_type = excluded.trigger_type,
        fired_at = excluded.fired_at,
        requested_by = excluded.requested_by,
        reason = null,
        ended_at = null,
        touched_at = now(),
        payload = excluded.payload
    where p_trigger = 'backfill' and job_run.status = 'skipped'
    returning run_id into begun;
    if begun is null then
        outcome := 'there';
    elsif outcome = 'queued' then
        perform job_tick(begun);
    elsif outcome = 'skipped' then
        perform run_event(begun, 'skipped', 'overlap: ' || blocker || ' is not over');
    end if;
end $$;

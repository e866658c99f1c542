-- Ends a run and what it still wants; calls that are in flight stop within two seconds.
create or replace function run_cancel(run_id text, note text default null) returns void
language plpgsql set search_path from current as $$
declare
    run record;
begin
    select r.job, r.status into run
    from job_run r
    where r.run_id = run_cancel.run_id;
    if not found then
        raise exception 'there is no run %', run_cancel.run_id using errcode = 'P0002';
    end if;
    if not run_end_cancelled(run_cancel.run_id, run_cancel.note) then
        raise exception '% is over: %', run_cancel.run_id, (
            select r.status from job_run r where r.run_id = run_cancel.run_id
        );
    end if;
    perform job_audit_add(
        run.job, 'cancel',
        jsonb_build_object('run_id', run_cancel.run_id, 'status', run.status),
        jsonb_build_object('note', run_cancel.note)
    );
end $$;

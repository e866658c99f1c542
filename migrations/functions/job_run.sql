-- Begins a run now; returns its id. `force`: whatever the job's overlap policy says.
create or replace function job_run(
    name text, payload jsonb default null, force boolean default false
) returns text
language plpgsql set search_path from current as $$
declare
    wanted record;
    run record;
begin
    perform job_known(job_run.name);
    select
        j.action,
        j.payload || coalesce(job_run.payload, '{}') as payload,
        case when job_run.force then 'allow' else j.overlap_policy end as policy
    into wanted
    from job j
    where j.name = job_run.name
    for update;
    select * into run
    from job_begin(
        job_run.name, clock_timestamp(), 'manual', wanted.action, wanted.payload, wanted.policy,
        null
    );
    if run.outcome = 'skipped' then
        raise exception '% is not over, and the runs of % may not overlap',
            run.blocker, job_run.name
            using hint = 'wait for it, cancel it, or force the run';
    end if;
    perform job_audit_add(
        job_run.name, 'run', null,
        jsonb_build_object('run_id', run.begun, 'payload', wanted.payload)
    );
    perform pg_notify('mangoes_jobs', job_run.name);
    return run.begun;
end $$;

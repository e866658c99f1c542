-- Holds all jobs, or releases them.
create or replace function job_hold(held boolean, note text default null) returns void
language sql set search_path from current as $$
    select job_audit_add(
        '*',
        case when job_hold.held then 'hold' else 'release' end,
        to_jsonb(h),
        jsonb_build_object('held', job_hold.held, 'note', job_hold.note)
    )
    from job_hold h;
    update job_hold h
    set held = $1, note = $2, by_whom = author(), changed_at = now();
    select pg_notify('mangoes_jobs', '');
$$;

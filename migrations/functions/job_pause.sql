-- `select mangoes.job_pause('refresh_worker', 'why', now() + interval '2 hours')`
create or replace function job_pause(
    name text, note text default null, until timestamptz default null
) returns void
language plpgsql set search_path from current as $$
begin
    perform job_known(job_pause.name);
    if job_pause.until <= now() then
        raise exception 'until must be in the future, and % is not', job_pause.until;
    end if;
    update job j
    set enabled = false,
        note = job_pause.note,
        paused_by = author(),
        paused_until = job_pause.until
    where j.name = job_pause.name;
end $$;

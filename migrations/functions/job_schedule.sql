-- Sets the schedule of a job, or makes the job: then its action is needed too.
create or replace function job_schedule(
    name text, schedule text, action text default null, payload jsonb default null
) returns text
language plpgsql set search_path from current as $$
#variable_conflict use_column
begin
    if job_schedule.action is null
        and not exists (select 1 from job j where j.name = job_schedule.name)
    then
        raise exception 'there is no job %; to create it, name its action too', job_schedule.name
            using hint = 'ingest, scan, refresh, maintain or feed';
    end if;
    insert into job as j (name, action, payload, schedule)
    values (
        job_schedule.name,
        coalesce(job_schedule.action, 'scan'),
        coalesce(job_schedule.payload, '{}'),
        job_schedule.schedule
    )
    on conflict (name) do update set
        schedule = excluded.schedule,
        action = coalesce(job_schedule.action, j.action),
        payload = coalesce(job_schedule.payload, j.payload);
    return job_schedule.name;
end $$;

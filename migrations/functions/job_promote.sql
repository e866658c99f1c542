-- Begins the waiting runs whose turn has come, the oldest of each job. Returns how many.
create or replace function job_promote() returns bigint
language plpgsql set search_path from current as $$
declare
    waiting record;
    next text;
    promoted bigint := 0;
begin
    if exists (select 1 from job_hold where held) then
        return 0;
    end if;
    for waiting in select distinct job from job_run where status = 'waiting' loop
        perform 1 from job where name = waiting.job for update;
        if exists (
            select 1 from job_run where job = waiting.job and status in ('queued', 'running')
        ) then
            continue;
        end if;
        update job_run
        set status = 'queued', fired_at = clock_timestamp(), touched_at = now()
        where status = 'waiting' and run_id = (
            select run_id
            from job_run
            where job = waiting.job and status = 'waiting'
            order by scheduled_for
            limit 1
        )
        returning run_id into next;
        if next is not null then
            perform job_tick(next);
            promoted := promoted + 1;
        end if;
    end loop;
    return promoted;
end $$;

-- Refuses a schedule that cannot be read. Before job_changed, by its name: what is refused leaves
-- no trace. Only what changes is looked at.
create or replace function check_job_schedule() returns trigger
language plpgsql set search_path from current as $$
declare
    problem text;
begin
    if tg_op = 'UPDATE' and old.schedule_error is not null and new.enabled and not old.enabled then
        -- Somebody lets it go on as it is: the scheduler reads it again.
        new.schedule_error := null;
        new.next_at := null;
    end if;
    if tg_op = 'UPDATE' and (
        new.schedule, new.timezone, new.exclusions, new.dst_gap, new.dst_overlap
    ) is not distinct from (
        old.schedule, old.timezone, old.exclusions, old.dst_gap, old.dst_overlap
    ) then
        return new;
    end if;
    problem := schedule_problem(new.schedule);
    if problem is not null then
        raise exception 'schedule ''%'' cannot be read: %', new.schedule, problem
            using errcode = 'invalid_parameter_value',
            hint = 'five fields as 0 3 * * *, a macro as @daily, every 10m, or '
                'at 2026-12-24T18:00:00Z; several joined by |';
    end if;
    problem := schedule_problem(new.exclusions);
    if problem is not null then
        raise exception 'exclusions ''%'' cannot be read: %', new.exclusions, problem
            using errcode = 'invalid_parameter_value';
    end if;
    begin
        perform now() at time zone new.timezone;
    exception when invalid_parameter_value then
        raise exception 'time zone ''%'' is unknown', new.timezone
            using errcode = 'invalid_parameter_value',
            hint = 'use an IANA name such as UTC or America/Los_Angeles';
    end;
    if tg_op = 'UPDATE' and old.schedule_error is not null then
        new.schedule_error := null;
        -- What somebody else paused, with a note of their own, stays paused.
        new.enabled := new.enabled or old.note is not distinct from old.schedule_error;
    end if;
    return new;
end $$;
create or replace trigger check_job_schedule
    before insert or update of schedule, timezone, exclusions, dst_gap, dst_overlap, enabled
    on job
    for each row execute function check_job_schedule();

-- A schedule that cannot be read is refused where it is written. What the database cannot tell (a day
-- that never comes, a zone that only Postgres knows) the scheduler finds at once: it pauses the job and
-- says why in schedule_error.

alter table job add column schedule_error text;

-- Why one field of a cron expression cannot be read; null: it can.
create function cron_field_problem(p_field text, p_name text, p_extra text, p_lowest integer, p_highest integer)
    returns text language plpgsql immutable set search_path = pg_catalog as $$
declare
    number text;
begin
    if p_field !~ ('^[*/0-9,' || p_extra || '-]+$') then
        return format('%s ''%s''', p_name, p_field);
    end if;
    -- Steps and the week of a month ('/5', '#2') are no values of the field.
    for number in select m[1] from regexp_matches(p_field, '(?:^|[^0-9/#])([0-9]+)', 'g') m loop
        if length(number) > 9 or number::integer not between p_lowest and p_highest then
            return format('%s is %s to %s, not %s', p_name, p_lowest, p_highest, number);
        end if;
    end loop;
    if p_field ~ '/0*([^0-9]|$)' then
        return format('%s ''%s'' has a step of nothing', p_name, p_field);
    end if;
    return null;
end $$;

-- Why a schedule cannot be read; null: it can, as far as the database can tell.
create function schedule_problem(p_schedule text) returns text language plpgsql immutable strict
    set search_path from current as $$
declare
    instant constant text := '\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)';
    names constant text[] := array['-SUN', '-7', 'SUN', '0', 'MON', '1', 'TUE', '2', 'WED', '3', 'THU', '4', 'FRI', '5', 'SAT', '6',
        'JAN', '1', 'FEB', '2', 'MAR', '3', 'APR', '4', 'MAY', '5', 'JUN', '6', 'JUL', '7', 'AUG', '8', 'SEP', '9', 'OCT', '10',
        'NOV', '11', 'DEC', '12'];
    part text;
    fields text[];
    problem text;
begin
    foreach part in array regexp_split_to_array(p_schedule, '\|') loop
        part := regexp_replace(part, '^\s+|\s+$', '', 'g');
        if part ~ '^at ' then
            if part !~ ('^at\s+' || instant || '$') then
                return format('''%s'' is not like at 2026-12-24T18:00:00Z', part);
            end if;
        elsif part ~ '^every ' then
            if part !~ ('^every\s+\+?\d+[smhd]\s*( from\s+' || instant || ')?$') then
                return format('''%s'' is not like every 10m (s, m, h or d)', part);
            end if;
        elsif lower(part) not in ('@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly') then
            part := upper(part);
            for n in 1 .. cardinality(names) by 2 loop
                part := replace(part, names[n], names[n + 1]);
            end loop;
            fields := regexp_split_to_array(part, '\s+');
            if cardinality(fields) not between 5 and 7 then
                return 'it needs five fields: minute hour day month weekday';
            end if;
            if cardinality(fields) = 5 then
                fields := array_prepend('0', fields);
            end if;
            problem := coalesce(
                cron_field_problem(fields[1], 'second', '', 0, 59),
                cron_field_problem(fields[2], 'minute', '', 0, 59),
                cron_field_problem(fields[3], 'hour', '', 0, 23),
                cron_field_problem(fields[4], 'day', 'LW?', 1, 31),
                cron_field_problem(fields[5], 'month', '', 1, 12),
                cron_field_problem(regexp_replace(fields[6], '^\+', ''), 'weekday', 'L#?', 0, 7),
                cron_field_problem(fields[7], 'year', '', 1, 5000));
            if problem is not null then
                return problem;
            end if;
        end if;
    end loop;
    return null;
end $$;

-- What an earlier version set aside is looked at once more, and paused with its reason.
update job set next_at = null where next_at = 'infinity';

-- Before job_changed, by its name: what is refused leaves no trace. Only what changes is looked at: a
-- job from before this rule must not stop an update of all jobs.
create function check_job_schedule() returns trigger language plpgsql set search_path from current as $$
declare
    problem text;
begin
    if tg_op = 'UPDATE' and old.schedule_error is not null and new.enabled and not old.enabled then
        -- Somebody lets it go on as it is: the scheduler reads it again.
        new.schedule_error := null;
        new.next_at := null;
    end if;
    if tg_op = 'UPDATE' and (new.schedule, new.timezone, new.exclusions, new.dst_gap, new.dst_overlap)
        is not distinct from (old.schedule, old.timezone, old.exclusions, old.dst_gap, old.dst_overlap) then
        return new;
    end if;
    problem := schedule_problem(new.schedule);
    if problem is not null then
        raise exception 'schedule ''%'' cannot be read: %', new.schedule, problem using errcode = 'invalid_parameter_value',
            hint = 'five fields as 0 3 * * *, a macro as @daily, every 10m, or at 2026-12-24T18:00:00Z; several joined by |';
    end if;
    problem := schedule_problem(new.exclusions);
    if problem is not null then
        raise exception 'exclusions ''%'' cannot be read: %', new.exclusions, problem using errcode = 'invalid_parameter_value';
    end if;
    begin
        perform now() at time zone new.timezone;
    exception when invalid_parameter_value then
        raise exception 'time zone ''%'' is unknown', new.timezone using errcode = 'invalid_parameter_value',
            hint = 'use an IANA name such as UTC or America/Los_Angeles';
    end;
    if tg_op = 'UPDATE' and old.schedule_error is not null then
        new.schedule_error := null;
        -- What somebody else paused, with a note of their own, stays paused.
        new.enabled := new.enabled or old.note is not distinct from old.schedule_error;
    end if;
    return new;
end $$;
create trigger check_job_schedule before insert or update of schedule, timezone, exclusions, dst_gap, dst_overlap, enabled on job
    for each row execute function check_job_schedule();

-- Why a schedule cannot be read; null: it can, as far as the database can tell.
create or replace function schedule_problem(p_schedule text) returns text
language plpgsql immutable strict set search_path from current as $$
declare
    instant constant text := '\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)';
    names constant text[] := array[
        '-SUN', '-7', 'SUN', '0', 'MON', '1', 'TUE', '2', 'WED', '3', 'THU', '4', 'FRI', '5',
        'SAT', '6', 'JAN', '1', 'FEB', '2', 'MAR', '3', 'APR', '4', 'MAY', '5', 'JUN', '6',
        'JUL', '7', 'AUG', '8', 'SEP', '9', 'OCT', '10', 'NOV', '11', 'DEC', '12'
    ];
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
        elsif lower(part) not in (
            '@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'
        ) then
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

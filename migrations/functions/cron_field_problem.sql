-- Why one field of a cron expression cannot be read; null: it can.
create or replace function cron_field_problem(
    p_field text, p_name text, p_extra text, p_lowest integer, p_highest integer
) returns text
language plpgsql immutable set search_path = pg_catalog as $$
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

-- Inserts rows into a table of the app: only into columns that it has, each value in the column's
-- own type. Bookkeeping: what cannot be written is noted and fails nothing.
create or replace function insert_into_app(p_table text, p_rows jsonb) returns boolean
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
declare
    columns text;
begin
    select string_agg(quote_ident(attname), ', ') into columns
    from pg_attribute
    where attrelid = p_table::regclass
        and attnum > 0
        and not attisdropped
        and attgenerated = ''
        and (p_rows -> 0) ? attname::text;
    execute format(
        'insert into %1$s (%2$s) select %2$s from jsonb_populate_recordset(null::%1$s, $1)',
        p_table::regclass, columns
    ) using p_rows;
    return true;
exception when others then
    perform note_bookkeeping_problem(p_table, sqlerrm);
    return false;
end $$;

-- Inserts rows into a table of the app: only into columns that it has, each value in the column's
-- own type, nulls left to the column's default. Bookkeeping: what cannot be written is noted and
-- fails nothing, and a row that cannot be written fails alone.
create or replace function insert_into_app(p_table text, p_rows jsonb) returns boolean
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
declare
    rows constant jsonb := jsonb_strip_nulls(p_rows);
    columns text;
begin
    select string_agg(quote_ident(attname), ', ') into columns
    from pg_attribute
    where attrelid = p_table::regclass
        and attnum > 0
        and not attisdropped
        and attgenerated = ''
        and exists (select 1 from jsonb_array_elements(rows) r where r ? attname::text);
    if columns is null then
        return false;
    end if;
    -- What the app checks at the end of a transaction is checked here, where it fails nothing.
    set constraints all immediate;
    execute format(
        'insert into %1$s (%2$s) select %2$s from jsonb_populate_recordset(null::%1$s, $1)',
        p_table::regclass, columns
    ) using rows;
    return true;
exception when others then
    if jsonb_array_length(p_rows) = 1 then
        perform note_bookkeeping_problem(p_table, sqlerrm);
        return false;
    end if;
    return (
        select bool_and(insert_into_app(p_table, jsonb_build_array(r)))
        from jsonb_array_elements(p_rows) r
    );
end $$;

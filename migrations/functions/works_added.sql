-- Notes the works that the app adds. It writes a line of a table that nobody else waits for, and
-- nothing more: whatever is odd about a work is met later, and not by the app's statement.
create or replace function works_added() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    insert into work_edit (work_id) select work_id from added;
    return null;
end $$;

-- Notes the works that the app deletes.
create or replace function works_deleted() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    insert into work_edit (work_id) select work_id from deleted;
    return null;
end $$;

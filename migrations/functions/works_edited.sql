-- Notes a work that the app edits; what counts as an edit says the trigger, in triggers.sql.
create or replace function works_edited() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    insert into work_edit (work_id) values (new.work_id);
    if old.work_id <> new.work_id then
        insert into work_edit (work_id) values (old.work_id);
    end if;
    return null;
end $$;

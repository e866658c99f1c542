-- The app deleted works: what we know of them goes too; their timeline stays.
create or replace function works_deleted() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    delete from title t using deleted d where t.work_id = d.work_id;
    delete from document c using deleted d where c.work_id = d.work_id;
    return null;
exception when others then
    perform note_bookkeeping_problem('works', sqlerrm);
    return null;
end $$;

-- The app deleted works: what we know of them goes too; their timeline stays.
create or replace function works_deleted() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp set jit = off as $$
begin
    -- By their ids: a session that deleted many works keeps its plan, and must not read all titles
    -- for the next one.
    delete from title where work_id = any (array(select work_id from deleted));
    delete from document where work_id = any (array(select work_id from deleted));
    return null;
exception when others then
    perform note_bookkeeping_problem('works', sqlerrm);
    return null;
end $$;

-- The app took all its works away at once: what we know of them goes too; their timeline stays.
-- Rows that stayed would keep their numbers from the works that come next.
create or replace function works_truncated() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp as $$
begin
    delete from title;
    delete from document;
    return null;
exception when others then
    perform note_bookkeeping_problem('works', sqlerrm);
    return null;
end $$;

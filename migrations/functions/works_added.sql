-- The app added works: each gets its row in title at once. Whatever is odd about a work never fails
-- the app's statement.
create or replace function works_added() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp set jit = off as $$
begin
    insert into title (work_id, tmdb_id, band, due_at)
    select n.work_id, tmdb_number(n.tmdb_id::text), f.band, f.due_at
    from added n, freshness_of(
        n.release_date, n.last_refreshed_at, n.ingestion_status = 'complete'
    ) f
    on conflict do nothing;
    -- A second work with the same number has a row too, without the number. Looked up one by one: a
    -- session that added many works keeps its plan, and must not read all titles for the next one.
    insert into title (work_id, band, due_at)
    select n.work_id, f.band, f.due_at
    from added n, freshness_of(
        n.release_date, n.last_refreshed_at, n.ingestion_status = 'complete'
    ) f
    where (select t.work_id from title t where t.work_id = n.work_id) is null
    on conflict do nothing;
    return null;
exception when others then
    perform note_bookkeeping_problem('works', sqlerrm);
    return null;
end $$;

-- The app edited works: their due times follow at once. Whatever is odd about a work never fails
-- the app's statement.
create or replace function works_edited() returns trigger
language plpgsql security definer set search_path = mangoes, pg_temp set jit = off as $$
begin
    insert into title as t (work_id, tmdb_id, band, due_at)
    select
        n.work_id,
        case
            when not exists (
                select 1
                from title other
                where other.tmdb_id = tmdb_number(n.tmdb_id::text) and other.work_id <> n.work_id
            ) then tmdb_number(n.tmdb_id::text)
        end,
        f.band,
        f.due_at
    from after n
    join before o using (work_id),
        freshness_of(
            n.release_date, n.last_refreshed_at, n.ingestion_status = 'complete'
        ) f
    where (n.tmdb_id, n.release_date, n.last_refreshed_at, n.ingestion_status)
        is distinct from (o.tmdb_id, o.release_date, o.last_refreshed_at, o.ingestion_status)
    order by n.work_id
    on conflict (work_id) do update set
        tmdb_id = excluded.tmdb_id,
        band = excluded.band,
        due_at = excluded.due_at,
        due_cause = 'policy',
        -- Another number is another movie: what is known of the first says nothing about it.
        fetched_at = case when t.tmdb_id = excluded.tmdb_id then t.fetched_at end,
        fingerprint = case when t.tmdb_id = excluded.tmdb_id then t.fingerprint end,
        missing_since = case when t.tmdb_id = excluded.tmdb_id then t.missing_since end,
        removed_at = case when t.tmdb_id = excluded.tmdb_id then t.removed_at end;
    return null;
exception when others then
    perform note_bookkeeping_problem('works', sqlerrm);
    return null;
end $$;

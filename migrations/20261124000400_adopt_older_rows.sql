-- Rules and rows of an adopted database that would stop or mislead the work.

-- A movie without votes has no value, and runs have more causes than the older log knew.
alter table rating_sources alter column value_raw drop not null, alter column value_0_100 drop not null;
do $$
declare c record;
begin
    for c in select conname, conrelid::regclass as name from pg_constraint
        where contype = 'c' and conrelid in ('scheduled_ingestion_log'::regclass, 'refresh_queue'::regclass, 'works'::regclass)
          and pg_get_constraintdef(oid) ~ '(trigger_type|source|ingestion_status|status)' and conname !~ '^mangoes_'
    loop
        execute format('alter table %s drop constraint %I', c.name, c.conname);
    end loop;
end $$;

-- `last_refreshed_at` used to be set before any work was done: what was never stored was never refreshed.
alter table works alter column last_refreshed_at drop default;
update works w set last_refreshed_at = null
    where last_refreshed_at is not null and ingestion_status is distinct from 'complete'
      and not exists (select 1 from works_meta m where m.work_id = w.work_id);

-- A row left in `processing` for ever has no lease: nobody works on it.
update refresh_queue set status = 'queued', last_error = 'its worker vanished' where status = 'processing' and lease_until is null;

-- An id that is no number is none of TMDB's; it stays in the catalogue and no scan takes it.
create or replace function get_stale_movies(p_limit integer)
returns table (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz, due_at timestamptz)
language sql stable as $$
    select w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at, w.due_at
    from works w
    where w.removed_at is null and w.scan_at <= now() and w.tmdb_id ~ '^[1-9][0-9]{0,9}$'
      and not exists (select 1 from refresh_queue q where q.work_id = w.work_id and q.status in ('queued', 'processing'))
    order by w.scan_at
    limit p_limit
$$;

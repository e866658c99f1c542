-- Brings the titles of these works to what the app's rows say now: a row for each work, none for a
-- work that is gone, the number that the work has. A number that gets free goes on to the work that
-- waits for it. `p_adopting`: due times of rows that are there stay, and a work counts as stored by
-- its details; otherwise the due times follow, and it counts as stored by its status.
--
-- Planned at each call: title grows from nothing to a million rows in one session.
create or replace function keep_titles(p_work_ids bigint[], p_adopting boolean) returns void
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
as $$
declare
    ids bigint[] := p_work_ids;
    freed integer[];
begin
    -- In the order of the writer, so that neither waits for the other in a circle.
    perform 1 from title where work_id = any (ids) order by tmdb_id, work_id for update;

    with gone as (
        -- Where row security hides works, what cannot be seen may be there.
        delete from title t
        where t.work_id = any (ids)
            and not row_security_active('works'::regclass)
            and not exists (select 1 from works w where w.work_id = t.work_id)
        returning t.work_id, t.tmdb_id
    ),
    documents as (
        delete from document d using gone g where d.work_id = g.work_id
    ),
    renumbered as (
        -- Another number is another movie: what is known of the first says nothing about it.
        update title t
        set tmdb_id = null, fetched_at = null, revision = 0, fingerprint = null,
            missing_since = null, removed_at = null, hold_until = null, failures = 0,
            lacks = null, parts_at = null, incomplete_looks = 0, feed_at = null, told_at = null,
            told_looks = 0, demand_until = null, pin_every = null, pin_until = null,
            pinned_by = null
        from works w, title before
        where t.work_id = any (ids)
            and w.work_id = t.work_id
            and before.work_id = t.work_id
            and t.tmdb_id is distinct from tmdb_number(w.tmdb_id::text)
            and t.tmdb_id is not null
        returning t.work_id, before.tmdb_id
    )
    select array_agg(number) into freed
    from (select tmdb_id as number from gone union all select tmdb_id from renumbered) f;
    if freed is not null then
        ids := ids || array(
            select w.work_id from works w where w.tmdb_id = any (freed::text[])
        );
    end if;

    -- Where the number is another work's, the row comes without it.
    with missing as materialized (
        select
            w.work_id, tmdb_number(w.tmdb_id::text) as number,
            f.band, f.band_until, f.stale_at, f.planned_at
        from works w
        left join works_meta m using (work_id),
            freshness_of(
                w.release_date,
                w.last_refreshed_at,
                case when p_adopting then m.work_id is not null
                    else w.ingestion_status = 'complete' end
            ) f
        where w.work_id = any (ids)
            and not exists (select 1 from title t where t.work_id = w.work_id)
        order by w.work_id
    ),
    added as (
        insert into title (work_id, tmdb_id, band, band_until, stale_at, planned_at)
        select work_id, number, band, band_until, stale_at, planned_at from missing
        on conflict do nothing
        returning work_id
    )
    insert into title (work_id, band, band_until, stale_at, planned_at)
    select work_id, band, band_until, stale_at, planned_at
    from missing
    where work_id not in (select work_id from added)
    on conflict do nothing;

    -- Numbers that are free now.
    update title t
    set tmdb_id = n.number
    from (
        select distinct on (number) w.work_id, number
        from title bare
        join works w using (work_id),
            tmdb_number(w.tmdb_id::text) number
        where bare.work_id = any (ids)
            and bare.tmdb_id is null
            and number is not null
            and not exists (select 1 from title o where o.tmdb_id = number)
        order by number, w.work_id
    ) n
    where t.work_id = n.work_id;

    if not p_adopting then
        perform plan_titles(ids, true);
    end if;
end $$;

-- Gives the next works that have none their rows in title. Returns how many works it looked at;
-- less than p_limit: it is finished. Works that are added meanwhile get their rows by the triggers.
create or replace function adopt_works(p_limit integer) returns integer
language plpgsql set search_path from current as $$
declare
    first bigint;
    last bigint;
    seen integer;
begin
    select next_work_id into first from adoption for update;
    select max(work_id), count(*) into last, seen
    from (
        select work_id
        from works
        where work_id >= first
        order by work_id
        limit p_limit
    ) next;
    if seen = 0 then
        update adoption set finished_at = coalesce(finished_at, now());
        return 0;
    end if;
    -- An adopted work without details was never stored, whatever its row says.
    insert into title (work_id, tmdb_id, band, due_at)
    select w.work_id, tmdb_number(w.tmdb_id::text), f.band, f.due_at
    from works w
    left join works_meta m using (work_id),
        freshness_of(w.release_date, w.last_refreshed_at, m.work_id is not null) f
    where w.work_id between first and last
        and not exists (select 1 from title t where t.work_id = w.work_id)
    order by w.work_id
    on conflict do nothing;
    insert into title (work_id, band, due_at)
    select w.work_id, f.band, f.due_at
    from works w, freshness_of(w.release_date, w.last_refreshed_at, false) f
    where w.work_id between first and last
        and not exists (select 1 from title t where t.work_id = w.work_id)
    on conflict do nothing;
    update adoption
    set next_work_id = last + 1,
        finished_at = coalesce(finished_at, case when seen < p_limit then now() end);
    return seen;
end $$;

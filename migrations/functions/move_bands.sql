-- Moves titles on to the band of their age today: those that grew older, were released, are not in
-- demand any more, or whose pin ended. Returns whether there may be more.
--
-- As apply_policy it does not wait for others while it holds rows.
create or replace function move_bands(p_limit integer) returns boolean
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
set max_parallel_workers_per_gather = 0 set enable_seqscan = off set lock_timeout = '30ms'
as $$
declare
    moved bigint[];
begin
    moved := array(
        select work_id from title where band_until <= now() order by band_until limit p_limit
    );
    if moved = '{}' then
        return false;
    end if;
    begin
        perform 1 from title where work_id = any (moved) order by tmdb_id, work_id for update;
    exception when lock_not_available then
        return true;
    end;
    update title
    set pin_every = null, pin_until = null, pinned_by = null
    where work_id = any (moved) and pin_until <= now();
    update title set demand_until = null where work_id = any (moved) and demand_until <= now();
    perform plan_titles(moved, false);
    -- Where row security hides a work, its age cannot be told.
    update title set band_until = 'infinity' where work_id = any (moved) and band_until <= now();
    return cardinality(moved) = p_limit;
end $$;

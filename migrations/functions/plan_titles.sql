-- Brings band and due time by age of these titles to what the policy, their age today, their demand
-- and their pins say. The caller has locked them, so that a save that is under way is seen as it
-- ends. Returns how many were written.
--
-- `p_by_status`: a work counts as stored by its status, which the app may have edited; otherwise
-- what was never stored stays due.
create or replace function plan_titles(p_work_ids bigint[], p_by_status boolean) returns integer
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan set jit = off
as $$
declare
    written integer;
begin
    update title t
    set band = n.band,
        band_until = n.band_until,
        stale_at = n.stale_at,
        stale_cause = n.stale_cause,
        planned_at = n.planned_at
    from (
        select o.work_id, f.*
        from title o
        join works w using (work_id),
            freshness_of(
                w.release_date,
                w.last_refreshed_at,
                case when p_by_status then w.ingestion_status = 'complete'
                    else o.stale_at > 'epoch' end,
                o.demand_until,
                o.pin_every,
                o.pin_until,
                -- The share of the interval that it was planned ahead.
                case
                    when o.stale_at > w.last_refreshed_at and o.stale_at > o.planned_at
                    then extract(epoch from o.stale_at - o.planned_at)
                        / extract(epoch from o.stale_at - w.last_refreshed_at)
                end
            ) f
        where o.work_id = any (p_work_ids)
    ) n
    where t.work_id = n.work_id
        and (t.band, t.band_until, t.stale_at, t.stale_cause, t.planned_at)
            is distinct from (n.band, n.band_until, n.stale_at, n.stale_cause, n.planned_at);
    get diagnostics written = row_count;
    return written;
end $$;

-- The band of a movie, and the instant from which it is stale. The band is that of its age when it
-- was read. What was never stored whole is stale now, and so is what no calendar can tell.
create or replace function freshness_of(
    p_release_date date, p_last_refreshed_at timestamptz, p_is_stored boolean,
    out band text, out due_at timestamptz
)
language plpgsql stable set search_path from current as $$
declare
    longest constant integer := 180;
    days integer;
    is_read boolean := p_is_stored and isfinite(p_last_refreshed_at);
    read_at timestamptz := case when is_read then p_last_refreshed_at else now() end;
begin
    if isfinite(p_release_date) then
        select p.band, p.interval_days into band, days
        from staleness_policy p
        where p.max_age_days >= (read_at at time zone 'UTC')::date - p_release_date
        order by p.max_age_days
        limit 1;
    else
        select p.band, p.interval_days into band, days
        from staleness_policy p
        where p.applies_to_unknown
        limit 1;
    end if;
    band := coalesce(band, '');
    due_at := case
        when is_read then
            -- No date of a person's making may lead out of the range of timestamps.
            least(read_at, timestamptz '9999-12-31')
                + make_interval(days => least(coalesce(days, 30), longest))
        else 'epoch'
    end;
end $$;

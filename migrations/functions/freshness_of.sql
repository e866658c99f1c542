-- The band of a movie today, until when it is of this band, from when on it is older than its
-- policy allows, and when it is due by its age. What was never stored whole is stale now, and so is
-- what no calendar can tell.
--
-- `p_share`: so much of the interval earlier than it has to be it is due.
create or replace function freshness_of(
    p_release_date date, p_last_refreshed_at timestamptz, p_is_stored boolean,
    p_demand_until timestamptz default null, p_pin_every interval default null,
    p_pin_until timestamptz default null, p_share double precision default 0,
    out band text, out band_until timestamptz, out stale_at timestamptz, out stale_cause text,
    out planned_at timestamptz
)
language plpgsql stable set search_path from current as $$
declare
    longest constant interval := '180 days';
    today constant date := (now() at time zone 'UTC')::date;
    is_pinned constant boolean := p_pin_every is not null
        and coalesce(p_pin_until, 'infinity') > now();
    every interval;
    demanded record;
    reaches integer;
begin
    stale_cause := 'policy';
    band_until := 'infinity';
    if isfinite(p_release_date) then
        select p.band, make_interval(days => p.interval_days), p.max_age_days
        into band, every, reaches
        from staleness_policy p
        where p.max_age_days >= today - p_release_date
        order by p.max_age_days
        limit 1;
        -- No date of a person's making may lead out of the range of dates.
        if reaches < 1000000 and p_release_date < date '9999-12-31' - reaches then
            band_until := (p_release_date + reaches + 1)::timestamp at time zone 'UTC';
        end if;
    else
        select p.band, make_interval(days => p.interval_days)
        into band, every
        from staleness_policy p
        where p.applies_to_unknown
        limit 1;
    end if;
    band := coalesce(band, '');
    every := coalesce(every, interval '30 days');
    if p_demand_until > now() then
        select p.band, make_interval(days => p.interval_days) as every
        into demanded
        from staleness_policy p
        where p.applies_to_demand
        limit 1;
        if demanded.every < every then
            band := demanded.band;
            every := demanded.every;
            stale_cause := 'demand';
            band_until := least(band_until, p_demand_until);
        end if;
    end if;
    if is_pinned and p_pin_every < every then
        every := p_pin_every;
        stale_cause := 'pin';
        band_until := least(band_until, p_pin_until);
    end if;
    every := least(every, longest);
    if p_is_stored and isfinite(p_last_refreshed_at) then
        stale_at := least(p_last_refreshed_at, timestamptz '9999-12-31') + every;
        planned_at := stale_at - every * coalesce(p_share, 0);
    else
        stale_at := 'epoch';
        planned_at := 'epoch';
    end if;
end $$;

-- Movies by freshness band: how many there were, and how many were not due, when they were counted
-- last. A band of theirs that the policy does not have any more has no limits.
create or replace view freshness as
    with last as (
        select taken_at
        from status_sample
        order by taken_at desc
        limit 1
    )
    select
        coalesce(p.band, t.band) as band,
        p.max_age_days,
        p.interval_days,
        coalesce(t.titles, 0) as titles,
        coalesce(t.fresh, 0) as fresh,
        (select taken_at from last) as counted_at
    from staleness_policy p
    full join (
        select s.band, s.titles, s.fresh
        from freshness_sample s
        join last using (taken_at)
    ) t using (band);

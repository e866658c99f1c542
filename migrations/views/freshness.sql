-- Movies by freshness band: how many there are, and how many are not due. A band of theirs that the
-- policy does not have any more has no limits.
create or replace view freshness as
    select
        coalesce(p.band, t.band) as band,
        p.max_age_days,
        p.interval_days,
        coalesce(t.titles, 0) as titles,
        coalesce(t.fresh, 0) as fresh
    from staleness_policy p
    full join (
        select band, count(*) as titles, count(*) filter (where due_at > now()) as fresh
        from title
        where removed_at is null and tmdb_id is not null
        group by band
    ) t using (band);

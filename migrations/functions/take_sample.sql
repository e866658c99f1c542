-- Counts what looks only read (status_sample, freshness_sample), where the last sample is older
-- than `p_least` and than `p_intervals` of its intervals. An interval is a hundred times what the
-- count took, and at least a second: counting costs a hundredth of a core at most. Returns the
-- seconds until the next sample is due. One session at a time counts; others wait for its sample.
--
-- Planned at each call, for the tables grow. A sample that a crash loses is taken again: nobody
-- waits for the disk.
create or replace function take_sample(p_intervals integer, p_least interval)
returns double precision
language plpgsql set search_path from current set plan_cache_mode = force_custom_plan
set max_parallel_workers_per_gather = 0 set jit = off set synchronous_commit = off
as $$
declare
    last status_sample;
    at timestamptz;
    took double precision;
begin
    perform pg_advisory_xact_lock(x'6d616e676f657302'::bigint);
    at := clock_timestamp();
    select * into last from status_sample order by taken_at desc limit 1;
    -- One that is younger than now is of a clock that was set back.
    if at >= last.taken_at
        and at < last.taken_at + greatest(p_least, p_intervals * sample_interval(last))
    then
        return extract(epoch from last.taken_at + sample_interval(last) - at);
    end if;
    delete from status_sample;
    insert into status_sample
    select
        at, 0, 0, 0,
        (select count(*) from refresh_item where status = 'queued'),
        (select count(*) from refresh_item where status = 'processing'),
        (select count(*) from outbox where published_at is null),
        (select count(*) from dead_letter where replayed_as is null),
        count(*),
        count(*) filter (where http_status is null or http_status >= 400),
        count(*) filter (where http_status = 429)
    from tmdb_call
    where created_at > at - interval '1 hour';
    with counted as (
        select
            band,
            count(*) filter (where removed_at is null and tmdb_id is not null) as titles,
            count(*) filter (
                where removed_at is null and tmdb_id is not null and stale_at > at
            ) as fresh,
            count(*) filter (where removed_at is not null) as removed,
            count(*) filter (where removed_at is null and lacks is not null) as incomplete
        from title
        group by band
    ),
    kept as (
        insert into freshness_sample (taken_at, band, titles, fresh)
        select at, band, titles, fresh from counted where titles > 0
    )
    update status_sample
    set removed = (select coalesce(sum(removed), 0) from counted),
        incomplete = (select coalesce(sum(incomplete), 0) from counted);
    took := extract(epoch from clock_timestamp() - at) * 1000;
    update status_sample set took_ms = took returning * into last;
    return extract(epoch from sample_interval(last));
end $$;

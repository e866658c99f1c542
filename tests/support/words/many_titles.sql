-- An installation with as many titles as the setting mangoes.titles says, made in seconds: for
-- tests and measurements of what must not grow with the catalogue. Run it as a session of ours, in
-- an empty database.
--
-- Ages, bands and due times are spread as in a catalogue that has been kept fresh: nine of ten
-- titles are not due. Beside them stand what a busy installation has: a history, a queue, unsent
-- events, dead letters, runs and calls.
begin;
set local mangoes.writer = 'on';

-- 37, 7919 and 104729 share no factor with a million: what is spread by them is spread evenly.
create temporary table generated as
select
    n,
    case when n % 33 = 0 then null else current_date - (power(n * 37 % 1000 / 1000.0, 2) * 30000
        - 60)::int end as released,
    n * 7919 % 1000 / 900.0 as share
from generate_series(1, current_setting('mangoes.titles')::bigint) n;

insert into works (
    work_id, tmdb_id, title, release_date, ingestion_status, last_refreshed_at, created_at
)
select
    n, (n + 100)::text, 'Generated ' || n, released, 'complete',
    now() - share * make_interval(days => f.days), now() - interval '1 year'
from generated g
join (
    select distinct on (day) day, (extract(epoch from f.stale_at - now()) / 86400)::int as days
    from (select distinct released as day from generated) d, freshness_of(day, now(), true) f
) f on f.day is not distinct from g.released;

insert into title (
    work_id, tmdb_id, band, band_until, stale_at, planned_at, fetched_at, revision, fingerprint,
    removed_at
)
select
    w.work_id, w.work_id + 100, f.band, f.band_until,
    w.last_refreshed_at + make_interval(days => f.days),
    w.last_refreshed_at + make_interval(days => f.days), w.last_refreshed_at, 1,
    sha256(int8send(w.work_id)),
    case when w.work_id % 200 = 0 then now() - interval '1 day' end
from works w
join (
    select day, f.band, f.band_until, (extract(epoch from f.stale_at - now()) / 86400)::int as days
    from (select distinct release_date as day from works) d, freshness_of(day, now(), true) f
) f on f.day is not distinct from w.release_date;

-- A queue of every fourth title that is not due, and what was worked off before.
insert into refresh_item (
    work_id, tmdb_id, status, priority, lane, reason, queued_at, released_at, processed_at
)
select
    n, n + 100, case when n % 4 = 0 and share < 0.9 then 'queued' else 'completed' end, 0,
    'bulk', 'due', now() - interval '1 hour', now() - interval '1 hour',
    case when n % 4 = 0 and share < 0.9 then null else now() end
from generated
where n % 2 = 0;

insert into outbox (subject, message_id, ordering_key, headers, payload, published_at, created_at)
select
    'movies.refreshed.' || n, 'generated:' || n, n::text, '{}', '{}',
    case when n % 20 = 0 then null else now() end, now() - interval '30 seconds'
from generated
where n % 5 = 0;

insert into dead_letter (
    consumer, message_key, subject, reason, error, tries, payload, first_at, replayed_as
)
select
    'refresh-bulk', n::text, 'movies.stale.bulk', 'not-found', 'TMDB has no movie', 4, '{}', now(),
    case when n % 1000 = 0 then 'replay:' || n end
from generated
where n % 50 = 0;

insert into job_run (
    run_id, job, action, scheduled_for, fired_at, trigger_type, status, started_at, ended_at, done
)
select
    'daily_refresh_enqueue@' || n, 'daily_refresh_enqueue', 'scan',
    now() - n * interval '1 minute', now() - n * interval '1 minute', 'scheduled',
    case when n % 10 = 0 then 'succeeded' else 'skipped' end,
    now() - n * interval '1 minute', now() - n * interval '1 minute', 100
from generated
where n <= 100000;

insert into tmdb_call (
    endpoint, method, http_status, response_time_ms, service, tmdb_id, run_id, created_at
)
select
    '/movie/' || n, 'GET', case when n % 100 = 0 then 404 else 200 end, 20, 'refresh', n + 100,
    'daily_refresh_enqueue@' || (1 + n % 20), now() - n % 7200 * interval '1 second'
from generated
where n % 3 = 0;

insert into work_event (work_id, tmdb_id, kind, cause, revision, at)
select n, n + 100, 'updated', 'due', 1, now() - interval '1 day'
from generated
where n % 2 = 0;

select setval('works_work_id_seq', max(n)) from generated;
drop table generated;
commit;

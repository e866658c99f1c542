-- The rows that an installation begins with; people own them afterwards. Run once, in the
-- transaction that makes the tables: a database whose rows are restored from a dump gets none.

insert into installation default values;
insert into tmdb_budget default values;
insert into job_hold default values;
insert into adoption default values;
insert into freshness_setting default values;
insert into feed_state default values;

insert into staleness_policy
    (band, max_age_days, interval_days, applies_to_unknown, applies_to_demand) values
    ('recent', 30, 2, false, false),
    ('half_year', 180, 7, false, false),
    ('year', 365, 14, false, false),
    ('older', 2147483647, 30, false, false),
    ('unknown_date', null, 7, true, false),
    ('in_demand', null, 1, false, true);

insert into job (name, action, payload, schedule) values
    ('scheduled_ingest_daily', 'ingest',
        '{"source": "mixed_daily", "max_movies": 30}', '0 11 * * *'),
    ('scheduled_ingest_weekly', 'ingest',
        '{"source": "mixed_weekly", "max_movies": 80}', '0 10 * * 0'),
    ('daily_refresh_enqueue', 'scan', '{"limit": 100}', '30 11 * * *'),
    ('refresh_worker', 'refresh', '{"max_items": 10}', '*/10 * * * *'),
    ('changes_feed', 'feed', '{}', '*/15 * * * *'),
    ('maintenance', 'maintain',
        '{"api_log_days": 30, "queue_days": 30, "run_days": 90, "failed_run_days": 365,
          "dead_letter_days": 90, "attempt_days": 14}',
        '15 4 * * *');

-- Nothing is due before the first movie comes.
delete from policy_edit;

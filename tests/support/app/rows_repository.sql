-- Runs of the ingestion, and a queue in which two rows are stuck. Run by the app's owner.

insert into public.scheduled_ingestion_log (source, movies_checked, movies_skipped,
    movies_ingested, movies_failed, ingested_titles, failed_titles, duration_ms, trigger_type)
select 'mixed_daily', 40, 37, 2, 1, array['The Matrix (1999)', 'Fight Club (1999)'],
    array['Unknown: TMDB API error: 404'], 40000, 'scheduled'
from generate_series(1, 5);

insert into public.refresh_queue (work_id, status, priority, queued_at, processed_at, retry_count,
    last_error)
select work_id, status, priority, now() - interval '3 days', processed_at, retries, error
from (values
    ('603', 'processing', 0, null, 0, null),
    ('27205', 'processing', 5, null, 1, 'TMDB API error: 503'),
    ('550', 'completed', 0, now() - interval '2 days', 0, null),
    ('155', 'failed', 0, now() - interval '2 days', 3, 'TMDB API error: 404'),
    ('13', 'queued', 100, null, 0, null)
) as row (tmdb_id, status, priority, processed_at, retries, error)
join public.works using (tmdb_id);
insert into public.sync_state (sync_type, last_sync_at)
values ('daily_refresh_stale', now() - interval '1 day');

-- Runs of the ingestion as production logged them. Run by the app's owner.

insert into public.scheduled_ingestion_log (source, movies_checked, movies_skipped,
    movies_ingested, movies_failed, ingested_titles, failed_titles, duration_ms, trigger_type)
select 'mixed_daily', 40, 37, 2, 1, '["The Matrix (1999)", "Fight Club (1999)"]',
    '["Unknown: TMDB API error: 404"]', 40000, 'scheduled'
from generate_series(1, 5);

-- The two logs as production has them after edits by hand: ids are uuids, lists of titles are
-- JSON, hardly a column is required. The queue and its state are gone. Run by the app's owner.

create table public.scheduled_ingestion_log (
    id uuid primary key default gen_random_uuid(),
    source text not null,
    movies_checked integer default 0,
    movies_skipped integer default 0,
    movies_ingested integer default 0,
    movies_failed integer default 0,
    ingested_titles jsonb,
    failed_titles jsonb,
    duration_ms integer,
    trigger_type text default 'scheduled',
    created_at timestamptz default now(),
    created_at_pacific_formatted text,
    created_at_utc_formatted text,
    error_message text,
    run_at timestamptz default now()
);
create index idx_scheduled_ingestion_log_run_at on public.scheduled_ingestion_log (run_at desc);

create table public.tmdb_api_logs (
    id uuid primary key default gen_random_uuid(),
    created_at timestamptz default now(),
    endpoint text not null,
    method text not null default 'GET',
    http_status integer,
    query_params jsonb,
    request_body jsonb,
    response_size_bytes integer,
    response_time_ms integer,
    results_count integer,
    edge_function text,
    user_query text,
    tmdb_id text,
    voice_event_id uuid,
    error_message text,
    retry_count integer default 0,
    metadata jsonb,
    status_code integer
);
create index idx_tmdb_logs_created on public.tmdb_api_logs (created_at desc);
create index idx_tmdb_logs_endpoint on public.tmdb_api_logs (endpoint);

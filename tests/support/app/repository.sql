-- The logs, the queue and its state as the app's own migrations make them. Run by the app's owner.

create table public.scheduled_ingestion_log (
    id bigserial primary key,
    source text not null,
    movies_checked integer not null,
    movies_skipped integer not null,
    movies_ingested integer not null,
    movies_failed integer not null,
    ingested_titles text[],
    failed_titles text[],
    duration_ms integer not null,
    trigger_type text not null check (trigger_type in ('scheduled', 'manual')),
    created_at timestamptz default now(),
    created_at_pacific_formatted text,
    created_at_utc_formatted text
);
create index idx_scheduled_ingestion_log_created_at
    on public.scheduled_ingestion_log (created_at desc);

create table public.tmdb_api_logs (
    id bigserial primary key,
    created_at timestamptz not null default now(),
    endpoint text not null,
    method text not null default 'GET',
    http_status integer,
    query_params jsonb,
    request_body jsonb,
    response_size_bytes integer,
    response_time_ms integer not null default 0,
    results_count integer,
    edge_function text,
    user_query text,
    tmdb_id text,
    voice_event_id uuid,
    error_message text,
    retry_count integer default 0,
    metadata jsonb
);
create index idx_tmdb_api_logs_created_at on public.tmdb_api_logs (created_at desc);

create table public.refresh_queue (
    id bigserial primary key,
    work_id bigint not null unique references public.works (work_id) on delete cascade,
    priority integer default 0,
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'completed', 'failed')),
    queued_at timestamptz not null default now(),
    processed_at timestamptz,
    retry_count integer not null default 0,
    last_error text
);
create index idx_refresh_queue_status_priority_queued
    on public.refresh_queue (status, priority desc, queued_at);

create table public.sync_state (
    sync_type text primary key,
    last_sync_at timestamptz,
    updated_at timestamptz not null default now()
);

-- Production has lost it since.
create function public.get_stale_movies(limit_count integer default 100)
returns table (work_id bigint, tmdb_id text, title text, last_refreshed_at timestamptz)
language plpgsql stable
as $$
begin
    return query
    select w.work_id, w.tmdb_id, w.title, w.last_refreshed_at
    from works w
    where is_stale(w.work_id)
    order by w.last_refreshed_at nulls first
    limit limit_count;
end $$;

-- What the app's people read of the jobs: the queue, the last scan, the runs of lists, the calls of
-- TMDB. In the app's schema and in the app's shape; a database that has them keeps its own.
--
-- `refresh_queue` has no foreign key: making one would stop writers of an adopted `works`.
select set_config('search_path', quote_ident(current_setting('mangoes.app_schema')), true);

create table if not exists refresh_queue (
    id bigserial primary key,
    work_id bigint not null unique,
    priority integer default 0,
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'completed', 'failed')),
    queued_at timestamptz not null default now(),
    processed_at timestamptz,
    retry_count integer not null default 0,
    last_error text
);

create table if not exists sync_state (
    sync_type text primary key,
    last_sync_at timestamptz,
    updated_at timestamptz not null default now()
);

create table if not exists scheduled_ingestion_log (
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
    error_message text,
    run_at timestamptz default now(),
    created_at timestamptz default now(),
    created_at_pacific_formatted text,
    created_at_utc_formatted text
);

-- With its index: one that is there gets none.
do $$ begin
    if to_regclass('tmdb_api_logs') is null then
        create table tmdb_api_logs (
            id uuid primary key default gen_random_uuid(),
            created_at timestamptz default now(),
            endpoint text not null,
            method text not null default 'GET',
            http_status integer,
            status_code integer,
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
            metadata jsonb
        );
        create index idx_tmdb_logs_created on tmdb_api_logs (created_at desc);
    end if;
end $$;

select set_config(
    'search_path', format('mangoes, %I, pg_temp', current_setting('mangoes.app_schema')), true
);

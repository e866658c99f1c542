-- What all processes share about TMDB: the budget of calls, and what was called.

create table tmdb_budget (
    only_row boolean primary key default true check (only_row),
    tat timestamptz not null default now(),
    paused_until timestamptz,
    rate_now double precision,
    rate_at timestamptz,
    refusals integer not null default 0,
    refused_at timestamptz,
    credential_refused_at timestamptz,
    calls_not_logged bigint not null default 0
);
comment on table tmdb_budget is
    'One row: the rate of TMDB calls that all processes share, and what TMDB said against it.';
comment on column tmdb_budget.tat is
    'The theoretical arrival time of a generic cell rate algorithm.';
comment on column tmdb_budget.rate_now is
    'Calls per second at present; null: the configured rate.';
comment on column tmdb_budget.refusals is '429s in a row, each answered by a longer pause.';

create table tmdb_call (
    id bigint generated always as identity,
    endpoint text not null,
    method text not null,
    http_status integer,
    query_params jsonb,
    response_size_bytes bigint,
    response_time_ms bigint,
    results_count integer,
    service text,
    tmdb_id bigint,
    error_message text,
    retry_count integer not null default 0,
    run_id text,
    created_at timestamptz not null default now(),
    primary key (id)
);
create index tmdb_call_created on tmdb_call (created_at);
create index tmdb_call_run on tmdb_call (run_id) where run_id is not null;
comment on table tmdb_call is
    'One row for each call. The app''s tmdb_api_logs gets the same calls in its own shape.';

-- The tables in which a movie app reads its catalogue, in the app's schema and in the app's shape.
-- A database that has them keeps its own as they are: no column, no row and no rule of them
-- changes.
--
-- Names are looked up in the app's schema alone, until the last line.
select set_config('search_path', quote_ident(current_setting('mangoes.app_schema')), true);

create table if not exists works (
    work_id bigserial primary key,
    tmdb_id text not null unique,
    imdb_id text unique,
    title text not null,
    original_title text,
    year integer,
    release_date date,
    last_refreshed_at timestamptz default now(),
    request_count integer default 0,
    ingestion_status text default 'pending'
        check (ingestion_status in ('pending', 'ingesting', 'complete', 'failed')),
    trigger_source text,
    trigger_query text,
    triggered_by_user_id uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
);

create table if not exists works_meta (
    work_id bigint primary key references works on delete cascade,
    runtime_minutes integer,
    runtime_display text,
    tagline text,
    overview text,
    overview_short text,
    keywords text[],
    genres text[],
    subgenres text[],
    moods text[],
    themes text[],
    certification text,
    certification_reason text,
    content_warnings text[],
    poster_url_small text,
    poster_url_medium text,
    poster_url_large text,
    poster_url_original text,
    backdrop_url text,
    backdrop_url_mobile text,
    logo_url text,
    still_images jsonb,
    cast_members jsonb,
    crew_members jsonb,
    trailer_youtube_id text,
    trailer_thumbnail text,
    trailer_duration integer,
    trailers jsonb,
    aspect_ratio text,
    color text,
    sound_mix text[],
    imax_available boolean default false,
    dolby_cinema boolean default false,
    dolby_atmos boolean default false,
    dolby_vision boolean default false,
    filming_locations text[],
    production_companies jsonb,
    production_countries text[],
    spoken_languages text[],
    original_language text,
    budget bigint,
    budget_display text,
    revenue_worldwide bigint,
    revenue_display text,
    opening_weekend_us bigint,
    awards jsonb,
    streaming jsonb,
    collection jsonb,
    similar_movies jsonb,
    similar_movie_ids integer[],
    schema_version integer default 1,
    fetched_at timestamptz default now(),
    updated_at timestamptz default now()
);

create table if not exists rating_sources (
    rating_id bigserial primary key,
    work_id bigint references works on delete cascade,
    source_name text not null,
    scale_type text not null,
    value_raw real not null,
    value_0_100 real not null,
    votes_count integer,
    last_seen_at timestamptz default now(),
    unique (work_id, source_name)
);

create table if not exists aggregates (
    work_id bigint references works on delete cascade,
    method_version text not null,
    n_critics integer default 0,
    n_audience integer default 0,
    n_excerpts integer default 0,
    n_buzz_sources integer default 0,
    critics_score real,
    audience_score real,
    sentiment_score real,
    buzz_score real,
    ai_score real,
    ai_score_low real,
    ai_score_high real,
    source_scores jsonb,
    inputs_fingerprint text,
    computed_at timestamptz default now(),
    primary key (work_id, method_version)
);

create table if not exists similar_movies (
    id uuid primary key default gen_random_uuid(),
    work_id bigint references works on delete cascade,
    similar_work_id bigint references works on delete set null,
    similar_tmdb_id text not null,
    source text not null,
    source_url text,
    rank_order integer,
    confidence real,
    notes text,
    created_at timestamptz default now(),
    unique (work_id, similar_tmdb_id, source)
);

create table if not exists work_cards_cache (
    work_id bigint primary key references works on delete cascade,
    payload jsonb not null,
    payload_short jsonb,
    etag text,
    computed_at timestamptz default now()
);

select set_config(
    'search_path', format('mangoes, %I, pg_temp', current_setting('mangoes.app_schema')), true
);

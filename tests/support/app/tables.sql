-- The catalogue as the app made it. Run by the app's owner.

create table public.works (
    work_id bigserial primary key,
    tmdb_id text not null unique,
    imdb_id text,
    title text not null,
    original_title text,
    year integer,
    release_date date,
    last_refreshed_at timestamptz default now(),
    request_count integer default 0,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    ingestion_status text default 'pending',
    trigger_query text,
    trigger_source text,
    triggered_by_user_id uuid references auth.users (id),
    constraint works_imdb_id_key unique (imdb_id),
    constraint works_ingestion_status_check
        check (ingestion_status in ('pending', 'ingesting', 'complete', 'failed'))
);
create index idx_works_imdb_id on public.works (imdb_id);
create index idx_works_title on public.works (title);
create index idx_works_year on public.works (year);
create index idx_works_release_date on public.works (release_date);
create index idx_works_last_refreshed on public.works (last_refreshed_at);

create table public.works_meta (
    work_id bigint primary key references public.works (work_id) on delete cascade,
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
    fetched_at timestamptz default now(),
    updated_at timestamptz default now(),
    similar_movie_ids integer[],
    schema_version integer default 1
);
create index idx_works_meta_schema_version on public.works_meta (schema_version);
create index idx_works_meta_similar_movie_ids on public.works_meta using gin (similar_movie_ids);

create table public.rating_sources (
    rating_id bigserial primary key,
    work_id bigint references public.works (work_id) on delete cascade,
    source_name text not null,
    scale_type text not null,
    value_raw real not null,
    value_0_100 real not null,
    votes_count integer,
    last_seen_at timestamptz default now(),
    unique (work_id, source_name)
);
create index idx_rating_sources_work on public.rating_sources (work_id);

create table public.aggregates (
    work_id bigint not null references public.works (work_id) on delete cascade,
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
create index idx_aggregates_work on public.aggregates (work_id);

-- Without "on delete cascade", as production has it.
create table public.similar_movies (
    id uuid primary key default gen_random_uuid(),
    work_id bigint references public.works (work_id),
    similar_work_id bigint references public.works (work_id),
    similar_tmdb_id text not null,
    source text not null,
    source_url text,
    rank_order integer,
    confidence real,
    notes text,
    created_at timestamptz default now(),
    unique (work_id, similar_tmdb_id, source)
);
create index idx_similar_movies_work on public.similar_movies (work_id);

create table public.work_cards_cache (
    work_id bigint primary key references public.works (work_id) on delete cascade,
    payload jsonb not null,
    payload_short jsonb,
    etag text,
    computed_at timestamptz default now()
);

-- A table of the app that is nobody else's business.
create table public.user_ratings (
    user_id uuid not null,
    work_id bigint not null references public.works (work_id),
    stars integer not null check (stars between 1 and 5),
    primary key (user_id, work_id)
);

comment on table public.works is 'One row a movie';
comment on column public.works.tmdb_id is 'The id at TMDB, as text';
comment on table public.work_cards_cache is 'What the app shows of a movie';

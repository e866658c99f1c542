-- The tables that a movie app reads. An existing database that has them is adopted: what is missing is added, nothing is lost.
-- Each table is made with its key only; every column is then added where it is missing, so both ways end alike.

create table if not exists works (work_id bigserial primary key);
alter table works
    add column if not exists tmdb_id text,
    add column if not exists imdb_id text,
    add column if not exists title text,
    add column if not exists original_title text,
    add column if not exists year integer,
    add column if not exists release_date date,
    add column if not exists status text,
    add column if not exists popularity double precision,
    add column if not exists last_refreshed_at timestamptz,
    add column if not exists ingestion_status text not null default 'pending',
    add column if not exists created_at timestamptz not null default now(),
    add column if not exists updated_at timestamptz not null default now(),
    -- Freshness: when it is due, and until when a scan leaves it alone all the same (after a failure or a first 404).
    add column if not exists due_at timestamptz not null default 'epoch',
    add column if not exists hold_until timestamptz,
    add column if not exists failures integer not null default 0,
    add column if not exists missing_since timestamptz,
    add column if not exists removed_at timestamptz,
    -- Change detection.
    add column if not exists fetched_at timestamptz,
    add column if not exists revision bigint not null default 0,
    add column if not exists content_hash bytea,
    add column if not exists imdb_id_clash text;
alter table works add column if not exists scan_at timestamptz generated always as (greatest(due_at, hold_until)) stored;
create unique index if not exists works_tmdb_id_key on works (tmdb_id);
-- Two TMDB entries may claim one imdb_id: the second keeps its claim in imdb_id_clash.
create unique index if not exists works_imdb_id_unique on works (imdb_id) where imdb_id is not null and imdb_id <> '';
create index if not exists works_scan_at on works (scan_at) where removed_at is null;

create table if not exists works_meta (work_id bigint primary key references works on delete cascade);
alter table works_meta
    add column if not exists runtime_minutes integer,
    add column if not exists runtime_display text,
    add column if not exists tagline text,
    add column if not exists overview text,
    add column if not exists overview_short text,
    add column if not exists genres text[],
    add column if not exists certification text,
    add column if not exists poster_url_small text,
    add column if not exists poster_url_medium text,
    add column if not exists poster_url_large text,
    add column if not exists poster_url_original text,
    add column if not exists backdrop_url text,
    add column if not exists backdrop_url_mobile text,
    add column if not exists trailer_youtube_id text,
    add column if not exists cast_members jsonb,
    add column if not exists crew_members jsonb,
    add column if not exists keywords text[],
    add column if not exists streaming jsonb,
    add column if not exists original_language text,
    add column if not exists spoken_languages text[],
    add column if not exists production_companies jsonb,
    add column if not exists production_countries text[],
    add column if not exists budget bigint,
    add column if not exists revenue_worldwide bigint,
    add column if not exists collection jsonb,
    add column if not exists trailers jsonb,
    add column if not exists homepage text,
    add column if not exists extras jsonb,
    -- The mapped movie as it was compared last: the old side of the next diff.
    add column if not exists document jsonb,
    add column if not exists schema_version integer not null default 1,
    add column if not exists fetched_at timestamptz,
    add column if not exists updated_at timestamptz not null default now();
alter table works_meta alter column budget type bigint, alter column revenue_worldwide type bigint;

create table if not exists rating_sources (
    work_id bigint not null references works on delete cascade,
    source_name text not null
);
alter table rating_sources
    add column if not exists scale_type text,
    add column if not exists value_raw double precision,
    add column if not exists value_0_100 double precision,
    add column if not exists votes_count bigint not null default 0,
    add column if not exists last_seen_at timestamptz not null default now();
create unique index if not exists rating_sources_work_source on rating_sources (work_id, source_name);

create table if not exists aggregates (
    work_id bigint not null references works on delete cascade,
    method_version text not null default 'v1'
);
alter table aggregates
    add column if not exists ai_score double precision,
    add column if not exists source_scores jsonb,
    add column if not exists computed_at timestamptz not null default now();
create unique index if not exists aggregates_work_method on aggregates (work_id, method_version);

create table if not exists similar_movies (
    work_id bigint not null references works on delete cascade,
    similar_tmdb_id text not null,
    source text not null default 'similar',
    rank_order integer not null default 0
);
alter table similar_movies
    add column if not exists title text,
    add column if not exists updated_at timestamptz not null default now();
create unique index if not exists similar_movies_key on similar_movies (work_id, source, similar_tmdb_id);

create table if not exists work_cards_cache (work_id bigint primary key references works on delete cascade);
alter table work_cards_cache
    add column if not exists payload jsonb,
    add column if not exists payload_short jsonb,
    add column if not exists etag text,
    add column if not exists computed_at timestamptz not null default now();

-- Freshness policy: data, editable at run time. A band reaches up to max_age_days after release; null = everything older.
create table staleness_policy (
    band text primary key,
    max_age_days integer unique,
    interval_days integer not null check (interval_days between 1 and 180),
    applies_to_unknown boolean not null default false,
    updated_at timestamptz not null default now()
);
insert into staleness_policy (band, max_age_days, interval_days, applies_to_unknown) values
    ('recent', 30, 2, false), ('half_year', 180, 7, false), ('year', 365, 14, false), ('older', 2147483647, 30, false), ('unknown_date', null, 7, true);
comment on table staleness_policy is 'How many days a movie may go unread, by days since release. Unreleased counts as recent. Never more than 180.';

create function calculate_staleness_days(release_date date, at timestamptz default now()) returns integer
language sql stable as $$
    select least(coalesce(
        case when release_date is null
            then (select p.interval_days from staleness_policy p where p.applies_to_unknown limit 1)
            else (select p.interval_days from staleness_policy p
                  where p.max_age_days >= ((at at time zone 'UTC')::date - release_date) order by p.max_age_days limit 1)
        end, 30), 180)
$$;

-- The instant from which a movie is stale. The band is that of its age when it was read: a band that it grows into later only allows more.
create function next_due(release_date date, last_refreshed_at timestamptz) returns timestamptz
language sql stable as $$
    select case when last_refreshed_at is null then 'epoch'::timestamptz
        else last_refreshed_at + make_interval(days => calculate_staleness_days(release_date, last_refreshed_at)) end
$$;

create function works_set_due() returns trigger language plpgsql as $$
begin
    new.due_at := next_due(new.release_date, new.last_refreshed_at);
    return new;
end $$;
create trigger works_set_due before insert or update of release_date, last_refreshed_at, due_at on works
    for each row execute function works_set_due();
update works set last_refreshed_at = last_refreshed_at;

-- An edit of the policy takes effect at once.
create function staleness_policy_changed() returns trigger language plpgsql as $$
begin
    update works set last_refreshed_at = last_refreshed_at where due_at is distinct from next_due(release_date, last_refreshed_at);
    return null;
end $$;
create trigger staleness_policy_changed after insert or update or delete on staleness_policy
    for each statement execute function staleness_policy_changed();

create or replace function is_stale(p_work_id bigint) returns boolean
language sql stable as $$
    select coalesce((select w.removed_at is null and next_due(w.release_date, w.last_refreshed_at) <= now() from works w where w.work_id = p_work_id), false)
$$;

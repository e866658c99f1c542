-- The parts of the older schema that differ from ours in more than missing columns, with rows.

create table works (
    work_id bigserial primary key,
    tmdb_id text unique not null,
    title text not null,
    release_date date,
    last_refreshed_at timestamptz default now(),
    ingestion_status text default 'pending'
        check (ingestion_status in ('pending', 'ingesting', 'complete', 'failed'))
);
create table works_meta (
    work_id bigint primary key references works,
    overview text,
    runtime_minutes integer
);
create table rating_sources (
    id bigserial primary key,
    work_id bigint references works,
    source_name text,
    scale_type text,
    value_raw numeric not null,
    value_0_100 numeric not null,
    votes_count integer,
    last_seen_at timestamptz default now(),
    unique (work_id, source_name)
);
create table refresh_queue (
    id bigserial primary key,
    work_id bigint unique references works,
    status text check (status in ('queued', 'processing', 'completed', 'failed')),
    priority integer default 0,
    queued_at timestamptz default now(),
    processed_at timestamptz,
    retry_count integer default 0,
    last_error text
);
create table scheduled_ingestion_log (
    id bigserial primary key,
    source text not null,
    movies_checked integer,
    trigger_type text check (trigger_type in ('scheduled', 'manual')),
    created_at timestamptz default now()
);
create table tmdb_api_logs (
    id bigserial primary key,
    endpoint text,
    http_status integer,
    created_at timestamptz default now()
);
create function calculate_staleness_days(release_date date) returns integer
    language sql as $$ select 30 $$;
create function is_stale(work_id_input bigint) returns boolean
    language sql as $$ select false $$;
create function get_stale_movies(limit_count integer default 100)
    returns table (work_id bigint, tmdb_id text)
    language sql as $$ select work_id, tmdb_id from works limit limit_count $$;

insert into works (tmdb_id, title, release_date, ingestion_status, last_refreshed_at)
values
    ('603', 'The Matrix', '1999-03-30', 'complete', now() - interval '90 days'),
    ('550', 'Fight Club', '1999-10-15', 'complete', now()),
    ('13', 'Forrest Gump', null, 'pending', now()),
    ('tt0133093', 'No number', null, 'complete', now() - interval '90 days');
insert into works_meta (work_id, overview)
select work_id, 'as it was'
from works
where ingestion_status = 'complete';
insert into rating_sources (work_id, source_name, scale_type, value_raw, value_0_100, votes_count)
select work_id, 'tmdb', '0-10', 8.2, 82, 26000
from works;
insert into refresh_queue (work_id, status)
select work_id, 'processing'
from works
where tmdb_id = '603';
insert into refresh_queue (work_id, status, processed_at)
select work_id, 'completed', now()
from works
where tmdb_id = '550';
insert into refresh_queue (work_id, status, priority)
select work_id, 'processing', 1000
from works
where tmdb_id = 'tt0133093';
insert into tmdb_api_logs (endpoint, http_status)
values ('/movie/603', 200);

-- Queue, runs, logs, and the delivery rules' own tables.

create table if not exists refresh_queue (id bigserial primary key);
alter table refresh_queue
    add column if not exists work_id bigint,
    add column if not exists status text not null default 'queued',
    add column if not exists priority integer not null default 0,
    add column if not exists queued_at timestamptz not null default now(),
    add column if not exists processed_at timestamptz,
    add column if not exists retry_count integer not null default 0,
    add column if not exists last_error text,
    add column if not exists tmdb_id bigint,
    add column if not exists lane text not null default 'bulk',
    add column if not exists reason text,
    add column if not exists run_id text,
    add column if not exists released_at timestamptz,
    add column if not exists lease_until timestamptz;
-- The queue that this one replaces let each movie in once in its life: any unique rule over work_id goes.
do $$
declare c record;
begin
    for c in select conname from pg_constraint where conrelid = 'refresh_queue'::regclass and contype = 'u' loop
        execute format('alter table refresh_queue drop constraint %I', c.conname);
    end loop;
    for c in select i.indexrelid::regclass as name from pg_index i where i.indrelid = 'refresh_queue'::regclass and i.indisunique and not i.indisprimary loop
        execute format('drop index %s', c.name);
    end loop;
end $$;
-- Of adopted rows, only the newest open one per movie stays open.
update refresh_queue q set status = 'failed', last_error = 'superseded by a newer entry', processed_at = now()
    where q.status in ('queued', 'processing')
      and exists (select 1 from refresh_queue n where n.work_id = q.work_id and n.id > q.id and n.status in ('queued', 'processing'));
create unique index refresh_queue_one_open on refresh_queue (work_id) where status in ('queued', 'processing');
create index refresh_queue_open on refresh_queue (status, priority desc, queued_at) where status in ('queued', 'processing');
create index refresh_queue_run on refresh_queue (run_id) where run_id is not null;

create or replace function get_stale_movies(p_limit integer)
returns table (work_id bigint, tmdb_id text, title text, release_date date, last_refreshed_at timestamptz, due_at timestamptz)
language sql stable as $$
    select w.work_id, w.tmdb_id, w.title, w.release_date, w.last_refreshed_at, w.due_at
    from works w
    where w.removed_at is null and w.scan_at <= now()
      and not exists (select 1 from refresh_queue q where q.work_id = w.work_id and q.status in ('queued', 'processing'))
    order by w.scan_at
    limit p_limit
$$;

create table if not exists sync_state (sync_type text primary key);
alter table sync_state
    add column if not exists last_sync_at timestamptz,
    add column if not exists updated_at timestamptz not null default now();
insert into sync_state (sync_type) values ('daily_refresh_stale') on conflict do nothing;

create table if not exists scheduled_ingestion_log (id bigserial primary key);
alter table scheduled_ingestion_log
    add column if not exists source text,
    add column if not exists movies_checked integer not null default 0,
    add column if not exists movies_skipped integer not null default 0,
    add column if not exists movies_ingested integer not null default 0,
    add column if not exists movies_failed integer not null default 0,
    add column if not exists movies_not_needed integer not null default 0,
    add column if not exists ingested_titles text[],
    add column if not exists failed_titles text[],
    add column if not exists duration_ms bigint,
    add column if not exists trigger_type text,
    add column if not exists created_at timestamptz not null default now(),
    add column if not exists run_id text,
    add column if not exists error text;
create unique index if not exists scheduled_ingestion_log_run on scheduled_ingestion_log (run_id) where run_id is not null;

-- One row per TMDB call. An adopted table without partitions is kept beside the new one.
do $$
begin
    if exists (select 1 from pg_class where oid = to_regclass('tmdb_api_logs') and relkind = 'r') then
        alter table tmdb_api_logs rename to tmdb_api_logs_before_mangoes;
    end if;
end $$;
create table tmdb_api_logs (
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
    created_at timestamptz not null default now()
) partition by range (created_at);
create table tmdb_api_logs_default partition of tmdb_api_logs default;
create index tmdb_api_logs_created on tmdb_api_logs (created_at);
create index tmdb_api_logs_run on tmdb_api_logs (run_id) where run_id is not null;

create function ensure_tmdb_api_logs_partition(day date) returns void language plpgsql as $$
declare name text := 'tmdb_api_logs_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(name) is null then
        execute format('create table if not exists %I partition of tmdb_api_logs for values from (%L) to (%L)',
            name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
    end if;
exception when others then
    -- Another process made it at the same moment, or rows of that day stand in the default partition: both keep the log whole.
    null;
end $$;

-- Jobs: seeded once, the database owns them afterwards.
create table job (
    name text primary key check (name ~ '^[a-z0-9_-]{1,64}$'),
    action text not null check (action in ('ingest', 'scan', 'refresh', 'maintain')),
    payload jsonb not null default '{}',
    schedule text not null,
    timezone text not null default 'UTC',
    enabled boolean not null default true,
    note text,
    next_at timestamptz,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create function job_changed() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.schedule, new.timezone, new.enabled, new.action, new.payload) is distinct from
        (old.schedule, old.timezone, old.enabled, old.action, old.payload) then
        new.revision := old.revision + 1;
        new.updated_at := now();
        -- An edit takes effect from now on and fires nothing by itself: the scheduler computes the next time.
        new.next_at := null;
    end if;
    perform pg_notify('mangoes_jobs', new.name);
    return new;
end $$;
create trigger job_changed before insert or update of schedule, timezone, enabled, action, payload on job
    for each row execute function job_changed();
insert into job (name, action, payload, schedule) values
    ('scheduled_ingest_daily', 'ingest', '{"source": "mixed_daily", "max_movies": 30}', '0 11 * * *'),
    ('scheduled_ingest_weekly', 'ingest', '{"source": "mixed_weekly", "max_movies": 80}', '0 10 * * 0'),
    ('daily_refresh_enqueue', 'scan', '{"limit": 100}', '30 11 * * *'),
    ('refresh_worker', 'refresh', '{"max_items": 10}', '*/10 * * * *');

create table job_run (
    run_id text primary key,
    job text not null,
    action text not null,
    scheduled_for timestamptz not null,
    fired_at timestamptz not null default now(),
    trigger_type text not null,
    requested_by text,
    payload jsonb not null default '{}',
    status text not null default 'queued' check (status in ('queued', 'running', 'succeeded', 'partial', 'failed', 'skipped', 'lost')),
    reason text,
    started_at timestamptz,
    ended_at timestamptz,
    checked bigint not null default 0,
    skipped bigint not null default 0,
    done bigint not null default 0,
    failed bigint not null default 0,
    not_needed bigint not null default 0,
    pending bigint not null default 0,
    error text,
    unique (job, scheduled_for)
);
create index job_run_by_job on job_run (job, fired_at desc);
create index job_run_open on job_run (status) where status in ('queued', 'running');

create table job_run_item (
    run_id text not null references job_run on delete cascade,
    tmdb_id bigint not null,
    state text not null default 'pending' check (state in ('pending', 'done', 'skipped', 'failed')),
    title text,
    error text,
    primary key (run_id, tmdb_id)
);

-- Delivery rules.
create table inbox (
    consumer text not null,
    message_key text not null,
    handled_at timestamptz not null default now(),
    primary key (consumer, message_key)
);
create index inbox_age on inbox (handled_at);

create table attempt (
    consumer text not null,
    message_key text not null,
    started integer not null default 0,
    failed integer not null default 0,
    last_error text,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (consumer, message_key)
);

create table outbox (
    id bigserial primary key,
    subject text not null,
    message_id text not null,
    ordering_key text not null,
    headers jsonb not null,
    payload jsonb not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_open on outbox (id) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;
create function outbox_added() returns trigger language plpgsql as $$
begin
    perform pg_notify('mangoes_outbox', '');
    return null;
end $$;
create trigger outbox_added after insert on outbox for each statement execute function outbox_added();

create table dead_letter (
    id bigserial primary key,
    consumer text not null,
    message_key text not null,
    subject text not null,
    reason text not null,
    error text not null,
    tries integer not null,
    payload bytea not null,
    headers jsonb not null default '{}',
    first_at timestamptz not null,
    died_at timestamptz not null default now(),
    replayed_as text,
    unique (consumer, message_key)
);

create table work_events (
    id bigserial primary key,
    work_id bigint not null,
    tmdb_id bigint not null,
    kind text not null,
    cause text,
    revision bigint not null default 0,
    diff jsonb,
    at timestamptz not null default now()
);
create index work_events_work on work_events (work_id, at desc);

-- The TMDB budget shared by all processes: `tat` is the theoretical arrival time of a generic cell rate algorithm.
create table tmdb_budget (
    only_row boolean primary key default true check (only_row),
    tat timestamptz not null default now(),
    paused_until timestamptz
);
insert into tmdb_budget default values;

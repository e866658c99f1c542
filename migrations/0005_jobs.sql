-- Jobs, what runs when, and their runs.

create table job (
    name text primary key check (name ~ '^[a-z0-9_-]{1,64}$'),
    action text not null check (
        action in ('ingest', 'scan', 'refresh', 'maintain', 'feed')
    ),
    payload jsonb not null default '{}',
    schedule text not null,
    timezone text not null default 'UTC',
    dst_gap text not null default 'run_after'
        check (dst_gap in ('skip', 'run_after', 'run_before')),
    dst_overlap text not null default 'first'
        check (dst_overlap in ('first', 'second', 'both')),
    exclusions text,
    overlap_policy text not null default 'skip'
        check (overlap_policy in ('skip', 'queue_one', 'queue_all', 'allow', 'cancel_other')),
    jitter_secs integer not null default 0 check (jitter_secs between 0 and 86400),
    jitter_offset integer not null default 0,
    catch_up_secs integer not null default 3600 check (catch_up_secs between 0 and 31536000),
    catch_up_max integer not null default 1 check (catch_up_max between 1 and 1000),
    starts_at timestamptz,
    ends_at timestamptz,
    max_runs integer check (max_runs > 0),
    runs_done bigint not null default 0,
    pause_after_failures integer check (pause_after_failures > 0),
    overdue_after_secs integer check (overdue_after_secs > 0),
    overdue_since timestamptz,
    lost_after_secs integer not null default 1800 check (lost_after_secs > 0),
    lost_retries integer not null default 1 check (lost_retries between 0 and 10),
    enabled boolean not null default true,
    note text,
    paused_by text,
    paused_until timestamptz,
    schedule_error text,
    next_at timestamptz,
    fire_at timestamptz,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Neither the program nor a table for people can show 'infinity'.
    constraint job_instants_are_finite check (
        isfinite(coalesce(paused_until, 'epoch'))
        and isfinite(coalesce(starts_at, 'epoch'))
        and isfinite(coalesce(ends_at, 'epoch'))
    )
);
create index job_fire_at on job (fire_at);
create index job_paused_until on job (paused_until)
    where not enabled and paused_until is not null;
create index job_overdue on job (name) where overdue_after_secs is not null;
comment on column job.exclusions is
    'Nominal times in a minute that this schedule matches do not run.';
comment on column job.jitter_secs is
    'A nominal time fires up to so many seconds later, by the same span for the same time.';
comment on column job.catch_up_secs is
    'A nominal time that was missed by more than this is not made up for.';
comment on column job.catch_up_max is
    'Of the times that were missed, at most so many run; with 1 the latest stands for all.';
comment on column job.pause_after_failures is
    'After so many failed runs in a row the job pauses itself; null: never.';
comment on column job.overdue_after_secs is
    'No success for so long: `overdue` on movies.run.<job>, once until the next success.';
comment on column job.schedule_error is
    'Why the scheduler cannot read the schedule: it paused the job.';
comment on column job.next_at is
    'The watermark: the first nominal time that has no row in job_run yet.';
comment on column job.fire_at is 'When the watermark fires: next_at and its jitter.';

create table job_hold (
    only_row boolean primary key default true check (only_row),
    held boolean not null default false,
    note text,
    by_whom text,
    changed_at timestamptz not null default now()
);
comment on table job_hold is 'Whether all jobs are held.';

-- Its id is no number of a sequence: what a restored job writes here meets no restored row.
create table job_audit (
    id uuid primary key default gen_random_uuid(),
    at timestamptz not null default now(),
    by_whom text not null,
    job text not null,
    operation text not null,
    before jsonb,
    after jsonb,
    request_id text
);
create index job_audit_job on job_audit (job, at);
comment on table job_audit is
    'Who changed what about jobs, whichever way the change came: a trigger writes it.';

create table api_request (
    request_id text primary key,
    at timestamptz not null default now(),
    by_whom text not null,
    answer jsonb
);
comment on table api_request is
    'What was asked for once is done once, however often it is asked for with the same id.';

create table job_run (
    run_id text primary key,
    job text not null,
    action text not null,
    scheduled_for timestamptz not null,
    fired_at timestamptz not null default now(),
    trigger_type text not null,
    requested_by text,
    payload jsonb not null default '{}',
    status text not null default 'queued' check (
        status in (
            'waiting', 'queued', 'running', 'succeeded', 'partial', 'failed', 'skipped',
            'cancelled', 'lost'
        )
    ),
    reason text,
    started_at timestamptz,
    ended_at timestamptz,
    checked bigint not null default 0,
    skipped bigint not null default 0,
    done bigint not null default 0,
    failed bigint not null default 0,
    not_needed bigint not null default 0,
    cancelled bigint not null default 0,
    pending bigint not null default 0,
    error text,
    attempts integer not null default 1,
    touched_at timestamptz not null default now(),
    progress_at timestamptz,
    unique (job, scheduled_for)
);
create index job_run_by_job on job_run (job, fired_at desc);
create index job_run_by_time on job_run (fired_at desc, scheduled_for desc);
create index job_run_fired on job_run (job, fired_at desc) where status <> 'skipped';
create index job_run_open on job_run (job, scheduled_for)
    where status in ('waiting', 'queued', 'running');
create index job_run_cancelled on job_run (ended_at) where status = 'cancelled';
comment on column job_run.attempts is
    'A run that was lost begins again as another run, which counts on.';
comment on column job_run.touched_at is
    'When anything happened to it last: a run is lost when nothing does and no message carries it.';

create table job_run_item (
    run_id text not null references job_run on delete cascade,
    tmdb_id bigint not null,
    state text not null default 'pending'
        check (state in ('pending', 'done', 'skipped', 'failed', 'cancelled')),
    title text,
    error text,
    primary key (run_id, tmdb_id)
);

create table bookkeeping_problem (
    table_name text primary key,
    problem text not null,
    times bigint not null default 1,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now()
);
comment on table bookkeeping_problem is
    'The app''s tables in which a row of bookkeeping could not be written. Nothing waits for them.';

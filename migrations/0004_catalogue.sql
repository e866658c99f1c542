-- What we know of each work beside the app's own tables, and when it is read again.

create table staleness_policy (
    band text primary key,
    max_age_days integer unique,
    interval_days integer not null check (interval_days between 1 and 180),
    applies_to_unknown boolean not null default false,
    updated_at timestamptz not null default now()
);
comment on table staleness_policy is
    'How many days a movie may go unread, by days since its release. A band reaches up to '
    'max_age_days; unreleased counts as the first one. Never more than 180 days.';

-- One row for each of the app's works, kept by keep_titles. Narrow, with room in each
-- page, because every look at a movie updates it.
create table title (
    work_id bigint primary key,
    tmdb_id integer unique check (tmdb_id > 0),
    band text not null,
    due_at timestamptz not null default 'epoch',
    due_cause text not null default 'policy',
    hold_until timestamptz,
    scan_at timestamptz not null generated always as (greatest(due_at, hold_until)) stored,
    fetched_at timestamptz,
    revision bigint not null default 0,
    failures integer not null default 0,
    missing_since timestamptz,
    removed_at timestamptz,
    fingerprint bytea,
    mapping_version smallint,
    details_xid xid,
    card_xid xid,
    imdb_id_clash text,
    lacks text[],
    incomplete_looks smallint not null default 0
) with (fillfactor = 80);
create index title_incomplete on title (due_at) where lacks is not null;
comment on column title.lacks is
    'Parts that no answer had yet, as credits; null where it is whole. It is asked again in hours.';
comment on column title.incomplete_looks is 'Answers in a row that lacked a part.';
create index title_scan on title (scan_at) where removed_at is null and tmdb_id is not null;
comment on column title.tmdb_id is
    'TMDB''s number; null where the app''s text is none, or where another work has it already.';
comment on column title.due_at is 'From when on the movie is stale.';
comment on column title.hold_until is
    'Until when scans leave it alone all the same: after a failure or a first 404.';
comment on column title.fingerprint is 'Hash of the content as it was compared last.';
comment on column title.mapping_version is
    'Which version of the mapping wrote the rows in the app''s tables.';
comment on column title.details_xid is
    'The transaction that wrote the row in works_meta last, where nothing in it is the app''s own. '
    'While the row''s xmin is the same, nobody else has written it, and a save need not read it.';
comment on column title.card_xid is 'As details_xid, for the row in work_cards_cache.';
comment on column title.imdb_id_clash is
    'The imdb_id that TMDB gives this movie too, while another work has it.';

-- Its id is no number of a sequence: what restored works note here meets no restored row.
create table work_edit (
    id uuid primary key default gen_random_uuid(),
    work_id bigint,
    noted_at timestamptz not null default now()
);
comment on table work_edit is
    'Works that the app added, edited or deleted by itself, noted by triggers and worked off '
    'within a second. Without a work: all were taken away at once.';

-- Compressed already: Postgres need not try it again.
create table document (
    work_id bigint primary key,
    body bytea not null
);
alter table document alter column body set storage external;
comment on table document is
    'TMDB''s last answer as it was received, with gzip; parts that it lacked are those of the '
    'answer before. The old side of the next diff, and what remap maps again.';

create table work_event (
    id bigserial primary key,
    work_id bigint not null,
    tmdb_id bigint not null,
    kind text not null,
    cause text,
    revision bigint not null default 0,
    diff jsonb,
    at timestamptz not null default now()
);
create index work_event_work on work_event (work_id, at desc);
comment on table work_event is 'The timeline of each movie.';

create table refresh_item (
    id bigserial primary key,
    work_id bigint not null,
    tmdb_id bigint,
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'completed', 'failed')),
    priority integer not null default 0,
    lane text not null default 'bulk',
    reason text,
    run_id text,
    queued_at timestamptz not null default now(),
    released_at timestamptz,
    lease_until timestamptz,
    processed_at timestamptz,
    retry_count integer not null default 0,
    last_error text
);
create unique index refresh_item_one_open on refresh_item (work_id)
    where status in ('queued', 'processing');
create index refresh_item_queued on refresh_item (priority desc, queued_at)
    where status = 'queued';
create index refresh_item_processing on refresh_item (lease_until) where status = 'processing';
create index refresh_item_run on refresh_item (run_id) where run_id is not null;
create index refresh_item_work on refresh_item (work_id, id desc);
comment on table refresh_item is
    'Movies that are read again: queued, processing, completed or failed; one open row a movie. '
    'The app''s refresh_queue shows the last row of each.';

create table adoption (
    only_row boolean primary key default true check (only_row),
    next_work_id bigint not null default -9223372036854775808,
    finished_at timestamptz
);
comment on table adoption is
    'How far the works that were there before us have their rows in title.';

create table policy_edit (
    only_row boolean primary key default true check (only_row),
    next_work_id bigint not null default -9223372036854775808,
    edited_at timestamptz not null default now()
);
comment on table policy_edit is
    'An edit of staleness_policy that is still being applied to the due times, batch by batch.';

create table remap (
    only_row boolean primary key default true check (only_row),
    next_work_id bigint not null default -9223372036854775808,
    maps_all boolean not null,
    mapping text not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table remap is
    'How far the stored answers are mapped again; what was killed goes on here.';
comment on column remap.mapping is
    'The version of the mapping, and what it prefers: another one begins from the start.';

-- What we know of each work beside the app's own tables, and when it is read again.

create table staleness_policy (
    band text primary key,
    max_age_days integer unique,
    interval_days integer not null check (interval_days between 1 and 180),
    applies_to_unknown boolean not null default false,
    applies_to_demand boolean not null default false,
    updated_at timestamptz not null default now()
);
comment on table staleness_policy is
    'How many days a movie may go unread, by days since its release. A band reaches up to '
    'max_age_days; unreleased counts as the first one. Never more than 180 days. A movie in demand '
    'is of the band that applies to it, where that one''s interval is shorter.';

create table freshness_setting (
    only_row boolean primary key default true check (only_row),
    demand_days integer not null default 14 check (demand_days between 0 and 365)
);
comment on table freshness_setting is 'What freshness depends on beside staleness_policy.';
comment on column freshness_setting.demand_days is
    'So long a movie is in demand after a list named it; 0: never.';

-- One row for each of the app's works, kept by keep_titles. Narrow, with room in each
-- page, because every look at a movie updates it.
create table title (
    work_id bigint primary key,
    tmdb_id integer unique check (tmdb_id > 0),
    band text not null,
    band_until timestamptz not null default 'infinity',
    stale_at timestamptz not null default 'epoch',
    stale_cause text not null default 'policy' check (stale_cause in ('policy', 'demand', 'pin')),
    planned_at timestamptz not null default 'epoch',
    feed_at timestamptz,
    parts_at timestamptz,
    due_at timestamptz not null generated always as (
        least(planned_at, feed_at, parts_at)
    ) stored,
    due_cause text not null generated always as (
        case
            when feed_at <= planned_at and feed_at <= coalesce(parts_at, 'infinity') then 'feed'
            when parts_at <= planned_at then 'incomplete'
            else stale_cause
        end
    ) stored,
    hold_until timestamptz,
    scan_at timestamptz not null generated always as (
        greatest(least(planned_at, feed_at, parts_at), hold_until)
    ) stored,
    told_at timestamptz,
    told_looks smallint not null default 0,
    demand_until timestamptz,
    pin_every interval check (pin_every between interval '1 hour' and interval '180 days'),
    pin_until timestamptz,
    pinned_by text,
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
create index title_wanted on title (scan_at)
    where due_cause <> 'policy' and removed_at is null and tmdb_id is not null;
create index title_told on title (told_at) where told_at is not null;
create index title_band on title (band_until) where band_until < 'infinity';
comment on column title.lacks is
    'Parts that no answer had yet, as credits; null where it is whole. It is asked again in hours.';
comment on column title.incomplete_looks is 'Answers in a row that lacked a part.';
create index title_scan on title (scan_at) where removed_at is null and tmdb_id is not null;
comment on column title.tmdb_id is
    'TMDB''s number; null where the app''s text is none, or where another work has it already.';
comment on column title.band is 'The band of its age today, or that of movies in demand.';
comment on column title.band_until is 'When it moves on to another band, or its pin ends.';
comment on column title.stale_at is
    'From when on it is older than its band or its pin allows. Freshness is measured by it.';
comment on column title.planned_at is
    'When it is due by its age: stale_at, but for a share of the interval after its first look, '
    'so that movies that came together do not stay together.';
comment on column title.feed_at is 'When it is due because the change feed named it.';
comment on column title.parts_at is 'When it is due because an answer lacked a part.';
comment on column title.due_at is 'When it is due: the first of planned_at, feed_at and parts_at.';
comment on column title.told_at is
    'When the change feed named it, until a look found the change, or looked often enough.';
comment on column title.told_looks is 'Looks since then that found no change.';
comment on column title.demand_until is 'Until when it is in demand: a list named it.';
comment on column title.pin_every is 'It is read at least so often, because a person wants it.';
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

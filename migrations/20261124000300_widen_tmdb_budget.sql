-- The budget slows down after a 429 and recovers; a refused credential and calls that were not logged are visible to all.
alter table tmdb_budget
    -- Calls per second at present; null = the configured rate.
    add column rate_now double precision,
    add column rate_at timestamptz,
    -- 429s in a row, each answered by a longer pause.
    add column refusals integer not null default 0,
    add column refused_at timestamptz,
    add column credential_refused_at timestamptz,
    add column calls_not_logged bigint not null default 0;
comment on table tmdb_budget is 'One row: the rate of TMDB calls that all processes share (generic cell rate algorithm), and what TMDB said against it.';

-- TMDB's change feed: how far it is read, and what the days named that are still being read.

create table feed_state (
    only_row boolean primary key default true check (only_row),
    next_day date,
    read_at timestamptz,
    pages integer not null default 0,
    gap_days integer not null default 0,
    gap_at timestamptz
);
comment on table feed_state is 'How far TMDB''s change feed is read.';
comment on column feed_state.next_day is
    'The first day that is not read for good: a cache may still hold an older list of it.';
comment on column feed_state.pages is 'Pages that were read last.';
comment on column feed_state.gap_days is
    'Days that were left out last, because nobody read the feed for too long.';

create table feed_named (
    day date not null,
    tmdb_id integer not null,
    named_at timestamptz not null default now(),
    primary key (day, tmdb_id)
);
comment on table feed_named is
    'Movies that these days of the feed named: each is looked at once for a day.';

-- What grows with the catalogue or with history is counted beside the looks, by take_sample: a look
-- at freshness reads a few rows here, however many titles there are.

create table status_sample (
    taken_at timestamptz primary key,
    took_ms double precision not null,
    removed bigint not null,
    incomplete bigint not null,
    queued bigint not null,
    processing bigint not null,
    unsent bigint not null,
    dead_letters bigint not null,
    calls bigint not null,
    errors bigint not null,
    refused bigint not null
);
comment on table status_sample is
    'How much there was of everything when it was counted last. Calls: those of the hour before.';

create table freshness_sample (
    taken_at timestamptz not null references status_sample on delete cascade,
    band text not null,
    titles bigint not null,
    fresh bigint not null,
    primary key (taken_at, band)
);
comment on table freshness_sample is
    'Titles by freshness band, and how many of them were not due, when they were counted last.';

-- Delivery: a message becomes exactly one effect.

create table inbox (
    consumer text not null,
    message_key text not null,
    handled_at timestamptz not null default now(),
    primary key (consumer, message_key)
);
create index inbox_age on inbox (handled_at);
comment on table inbox is 'Messages that were handled: written in the transaction of their effect.';

create table attempt (
    consumer text not null,
    message_key text not null,
    started integer not null default 0,
    failed integer not null default 0,
    alone integer not null default 0,
    holder text,
    last_error text,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (consumer, message_key)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table attempt is
    'Messages whose work began and is not committed. Few rows at any time, each for a moment: '
    'looking through all of them costs less than an index by age.';
comment on column attempt.alone is
    'How often the process died under a message that ran alone in it: only that makes it poison.';
comment on column attempt.holder is
    'The process that began the last attempt: a message did not kill one that still lives.';

create table outbox (
    id bigserial primary key,
    subject text not null,
    message_id text not null,
    ordering_key text not null,
    headers json not null,
    payload json not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_open on outbox (id) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;
comment on table outbox is 'Events, written with what they tell of; the relay publishes them.';
comment on column outbox.payload is
    'As text: it is written and published, and nobody asks for a part of it.';

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
    trace_id text,
    first_at timestamptz not null,
    died_at timestamptz not null default now(),
    replayed_as text,
    unique (consumer, message_key)
);
create index dead_letter_by_reason on dead_letter (consumer, reason, id);
create index dead_letter_open on dead_letter (id) where replayed_as is null;
comment on column dead_letter.trace_id is
    'The trace of the message: of its traceparent header, or the one that its own event carries.';

create table stream_generation (
    stream text primary key,
    created_at text not null,
    noted_at timestamptz not null default now()
);
comment on table stream_generation is
    'Which life of a stream the outbox was published into. One that was made again lost what it '
    'held: recent rows go out again.';

create table installation (
    only_row boolean primary key default true check (only_row),
    id uuid not null default gen_random_uuid(),
    cluster bigint,
    created_at timestamptz not null default now()
);
comment on table installation is
    'Which installation this database belongs to. The streams of its NATS carry the same id, so '
    'that the process of another database does not publish into them.';
comment on column installation.cluster is
    'The Postgres cluster (system_identifier) whose transactions title.details_xid and card_xid '
    'name.';

create table schema_code (
    only_row boolean primary key default true check (only_row),
    digest text not null,
    applied_at timestamptz not null default now()
);
comment on table schema_code is
    'Which functions and views this schema has: a digest of migrations/functions and views.';

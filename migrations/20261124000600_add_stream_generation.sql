-- Which life of a stream the outbox was published into. A stream that was made anew lost what it held: recent rows go out again.
create table stream_generation (
    stream text primary key,
    created_at text not null,
    noted_at timestamptz not null default now()
);
create index outbox_message on outbox (message_id);

-- Which installation this database belongs to. The streams of its NATS carry the same id, so that the
-- process of another database does not publish into them.
create table mangoes_installation (
    only_row boolean primary key default true check (only_row),
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now()
);
insert into mangoes_installation default values;

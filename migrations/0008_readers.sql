-- Who may read: what `mangoes migrate --grant-reader` was told.

create table reader_role (
    role_name text primary key,
    granted_at timestamptz not null default now()
);
comment on table reader_role is
    'Roles that have what mangoes_reader has: each migrate grants it to them again.';

-- What the hosting gives before the app makes its first table: schema auth, and grants on all that
-- will be made in schema public. Run by a superuser.

create schema auth;
grant usage on schema auth to public;

create table auth.users (
    id uuid primary key default gen_random_uuid(),
    email text
);

-- The role that a signed token of the HTTP interface names; null where there is no token.
create function auth.role() returns text
language sql stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role',
        nullif(current_setting('request.jwt.claim.role', true), '')
    )
$$;

-- The user that the token names.
create function auth.uid() returns uuid
language sql stable
as $$
    select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

grant references on auth.users to app_owner;
grant usage on schema public to anon, authenticated, service_role, app_guest, app_trusted;
alter default privileges for role app_owner in schema public
    grant all on tables to anon, authenticated, service_role, app_guest, app_trusted;
alter default privileges for role app_owner in schema public
    grant all on sequences to anon, authenticated, service_role, app_guest, app_trusted;
alter default privileges for role app_owner in schema public
    grant all on functions to anon, authenticated, service_role, app_guest, app_trusted;

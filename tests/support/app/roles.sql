-- The roles of a hosted Postgres and of the app. They are the whole server's: made where missing.
-- Run by a superuser.

do $$
declare
    hosted text;
begin
    foreach hosted in array array['anon', 'authenticated', 'service_role'] loop
        if not exists (select from pg_roles where rolname = hosted) then
            execute format('create role %I nologin noinherit', hosted);
        end if;
    end loop;
    alter role service_role bypassrls;
    -- The gateway before the app's HTTP interface: it logs in and becomes one of the three.
    if not exists (select from pg_roles where rolname = 'authenticator') then
        create role authenticator login noinherit password 'gateway';
        grant anon, authenticated, service_role to authenticator;
    end if;
    -- Owns the app's database and all that is in its schema, and is no superuser.
    if not exists (select from pg_roles where rolname = 'app_owner') then
        create role app_owner login createrole nosuperuser nobypassrls password 'owner';
    end if;
    -- Reads and writes the app's tables by grants alone; row security holds for it.
    if not exists (select from pg_roles where rolname = 'app_guest') then
        create role app_guest login nosuperuser nobypassrls password 'guest';
    end if;
    -- A member of the owner's role, as a company's login often is.
    if not exists (select from pg_roles where rolname = 'app_member') then
        create role app_member login inherit nosuperuser nobypassrls password 'member';
        grant app_owner to app_member;
    end if;
    -- Reads and writes the app's tables whatever their policies say.
    if not exists (select from pg_roles where rolname = 'app_trusted') then
        create role app_trusted login nosuperuser bypassrls password 'trusted';
    end if;
end $$;

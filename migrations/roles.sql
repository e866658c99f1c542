-- The roles of mangoes, for a database that an app shares. Run it once, before the first
-- `mangoes migrate`, as a role that owns the app's tables, may make roles, and has the right CREATE
-- on the database; again whenever you like: it changes only what differs, and all of it or nothing.
-- Run again after `mangoes migrate`, it takes back what only the first migration needs.
--
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -f migrations/roles.sql
--   psql "$ADMIN_URL" -c '\password mangoes_migrate' -c '\password mangoes_app'
--   DATABASE_URL=postgres://mangoes_migrate:…@host/db  mangoes migrate --plan
--   DATABASE_URL=postgres://mangoes_migrate:…@host/db  mangoes migrate
--   DATABASE_URL=postgres://mangoes_app:…@host/db      mangoes serve
--
--   mangoes_migrate  owns schema mangoes; makes and changes what is in it. For migrate only.
--   mangoes_app      the services: reads and writes rows; makes, drops and truncates nothing.
--   mangoes_reader   people and dashboards: status, titles, timeline. Logs in through a member:
--                    grant mangoes_reader to somebody;
--
-- Hosted Postgres: the role that you are given (`postgres` at Supabase) is no superuser, owns the
-- app's tables, may make roles, and has BYPASSRLS: that is enough. Before Postgres 16 only a
-- superuser gives BYPASSRLS to others; a notice says so then, and the policies at the end of this
-- file take its place.
--
-- Is the app's schema another one than public? Then change its name in the next line.
set mangoes.app_schema = 'public';

begin;

do $$
declare
    app constant text := quote_ident(current_setting('mangoes.app_schema'));
    role_name text;
    item record;
begin
    if to_regnamespace('mangoes') is null
        and not has_database_privilege(current_database(), 'create')
    then
        raise exception '% may not make schema mangoes: as the owner of the database, run: '
            'grant create on database % to %;',
            current_user, quote_ident(current_database()), quote_ident(current_user);
    end if;

    foreach role_name in array array['mangoes_migrate', 'mangoes_app', 'mangoes_reader'] loop
        if to_regrole(role_name) is null then
            execute format('create role %I', role_name);
        end if;
    end loop;
    alter role mangoes_migrate login;
    alter role mangoes_app login;

    -- Row security must not hide rows from those who keep them.
    foreach role_name in array array['mangoes_migrate', 'mangoes_app'] loop
        if not (select rolbypassrls from pg_roles where rolname = role_name) then
            begin
                execute format('alter role %I bypassrls', role_name);
            exception when insufficient_privilege then
                raise notice '% has no BYPASSRLS: % may not give it. Where tables of the app have '
                    'row security, see the policies at the end of roles.sql.',
                    role_name, current_user;
            end;
        end if;
    end loop;

    -- Who gives something to a role has to be able to become it. From Postgres 16 on that is more
    -- than to be a member: who made a role may only administer it.
    if not pg_has_role(
        'mangoes_migrate',
        case when current_setting('server_version_num')::integer < 160000
            then 'member' else 'set' end
    ) then
        execute format('grant mangoes_migrate to %I', current_user);
    end if;
    if to_regnamespace('mangoes') is null then
        create schema mangoes authorization mangoes_migrate;
    end if;

    -- What another role has made in our schema belongs to mangoes_migrate from now on.
    for item in
        select 'schema' as kind, 'mangoes' as name
        from pg_namespace
        where nspname = 'mangoes' and nspowner <> 'mangoes_migrate'::regrole
        union all
        select case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end,
            c.oid::regclass::text
        from pg_class c
        where c.relnamespace = 'mangoes'::regnamespace
            and c.relowner <> 'mangoes_migrate'::regrole
            and (
                c.relkind in ('r', 'p', 'v')
                or c.relkind = 'S' and not exists (
                    select 1 from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i')
                )
            )
        union all
        select 'routine', p.oid::regprocedure::text
        from pg_proc p
        where p.proowner <> 'mangoes_migrate'::regrole
            and (
                p.pronamespace = 'mangoes'::regnamespace
                or p.pronamespace = app::regnamespace
                    and p.proname in ('is_stale', 'get_stale_movies')
                    and p.prosrc ~ 'mangoes\.'
            )
    loop
        execute format('alter %s %s owner to mangoes_migrate', item.kind, item.name);
    end loop;
end $$;

do $$
declare
    app constant text := quote_ident(current_setting('mangoes.app_schema'));
    item record;
begin
    if to_regnamespace(app) is null then
        raise exception 'there is no schema %', app
            using hint = 'change mangoes.app_schema at the top of this file';
    end if;
    execute format('grant usage on schema %s to mangoes_migrate, mangoes_app', app);

    -- Making is needed only while something is missing that migrate makes.
    if (
        select count(*)
        from pg_class
        where relnamespace = app::regnamespace and relname in (
            'works', 'works_meta', 'rating_sources', 'aggregates', 'similar_movies',
            'work_cards_cache', 'refresh_queue', 'sync_state', 'scheduled_ingestion_log',
            'tmdb_api_logs'
        )
    ) < 10 or (
        select count(distinct proname)
        from pg_proc
        where pronamespace = app::regnamespace and proname in ('is_stale', 'get_stale_movies')
    ) < 2 then
        execute format('grant create on schema %s to mangoes_migrate', app);
    elsif has_schema_privilege('mangoes_migrate', app::regnamespace, 'create') then
        execute format('revoke create on schema %s from mangoes_migrate', app);
    end if;

    -- `mangoes doctor` and others name the jobs of pg_cron that have to be stopped.
    if exists (
        select 1
        from pg_class c
        join pg_namespace s on s.oid = c.relnamespace
        where s.nspname = 'cron' and c.relname = 'job'
    ) then
        begin
            grant usage on schema cron to mangoes_migrate, mangoes_app;
            grant select on cron.job to mangoes_migrate, mangoes_app;
        exception when insufficient_privilege then
            raise notice 'jobs of pg_cron cannot be seen by mangoes: % may not grant it. Look '
                'yourself: select jobname, schedule from cron.job', current_user;
        end;
    end if;

    for item in
        select c.oid::regclass::text as name, w.role, w.privileges
        from (values
            ('works', 'mangoes_migrate', 'select, trigger, references'),
            ('works_meta', 'mangoes_migrate', 'select'),
            ('works', 'mangoes_app', 'select, insert, update'),
            ('works_meta', 'mangoes_app', 'select, insert, update'),
            ('rating_sources', 'mangoes_app', 'select, insert, update'),
            ('aggregates', 'mangoes_app', 'select, insert, update'),
            ('similar_movies', 'mangoes_app', 'select, insert, update, delete'),
            ('work_cards_cache', 'mangoes_app', 'select, insert, update'),
            ('refresh_queue', 'mangoes_app', 'select, insert, update'),
            ('sync_state', 'mangoes_app', 'select, insert, update'),
            ('scheduled_ingestion_log', 'mangoes_app', 'insert'),
            ('tmdb_api_logs', 'mangoes_app', 'select, insert, delete')
        ) as w (name, role, privileges)
        join pg_class c on c.relname = w.name and c.relnamespace = app::regnamespace
        where c.relkind = 'r' and pg_has_role(c.relowner, 'usage')
    loop
        execute format('grant %s on %s to %s', item.privileges, item.name, item.role);
    end loop;

    -- Sequences that give new rows their numbers.
    for item in
        select distinct q.oid::regclass::text as name
        from pg_attrdef f
        join pg_class c on c.oid = f.adrelid
        join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
            and d.refclassid = 'pg_class'::regclass
        join pg_class q on q.oid = d.refobjid and q.relkind = 'S'
        where c.relnamespace = app::regnamespace
            and c.relname in (
                'works', 'works_meta', 'rating_sources', 'aggregates', 'similar_movies',
                'refresh_queue', 'sync_state', 'scheduled_ingestion_log', 'tmdb_api_logs'
            )
            and pg_has_role(q.relowner, 'usage')
    loop
        execute format('grant usage on sequence %s to mangoes_app', item.name);
    end loop;
end $$;

commit;

-- Instead of BYPASSRLS: one policy for each table of the app that has row security.
--
--   create policy mangoes on public.works for all
--       to mangoes_migrate, mangoes_app using (true) with check (true);
--
-- and the same for works_meta, rating_sources, aggregates, similar_movies, work_cards_cache,
-- refresh_queue, sync_state, scheduled_ingestion_log and tmdb_api_logs. `mangoes doctor` names each
-- table that is still hidden.

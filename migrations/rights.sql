-- Who may do what with our objects: applied by each `mangoes migrate`, whatever a database grants
-- by default. Our schema is the owner's, the services' (mangoes_app) and the readers' alone. What
-- was made in the app's schema is its owner's alone: whoever needs it is granted it by hand. Roles:
-- roles.sql.
--
-- `mangoes.app_objects_before` names what the app's schema had of its tables and functions before
-- this migration, after a comma; it is empty where nothing is made.
do $$
declare
    app constant text := current_setting('mangoes.app_schema');
    before constant text[] :=
        string_to_array(current_setting('mangoes.app_objects_before', true), ',');
    shown constant text := 'mangoes.job_status, mangoes.job_run_details, mangoes.freshness, '
        'mangoes.dead_letter_status, mangoes.title, mangoes.work_event, mangoes.refresh_item, '
        'mangoes.staleness_policy';
    item record;
begin
    -- Whoever has a right on anything in our schema, beside its owner.
    for item in
        with objects as (
            select nspacl as acl, nspowner as owner from pg_namespace where nspname = 'mangoes'
            union all
            select relacl, relowner from pg_class where relnamespace = 'mangoes'::regnamespace
            union all
            select coalesce(proacl, acldefault('f', proowner)), proowner
            from pg_proc
            where pronamespace = 'mangoes'::regnamespace
        )
        select distinct
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role
        from objects, aclexplode(acl) a
        where a.grantee <> owner
    loop
        execute format('revoke all on schema mangoes from %s cascade', item.role);
        execute format('revoke all on all tables in schema mangoes from %s cascade', item.role);
        execute format('revoke all on all sequences in schema mangoes from %s cascade', item.role);
        execute format('revoke all on all routines in schema mangoes from %s cascade', item.role);
    end loop;

    if to_regrole('mangoes_app') is not null then
        grant usage on schema mangoes to mangoes_app;
        grant select, insert, update, delete on all tables in schema mangoes to mangoes_app;
        grant usage, select on all sequences in schema mangoes to mangoes_app;
        grant execute on all routines in schema mangoes to mangoes_app;
        revoke insert, update, delete
            on mangoes.schema_migration, mangoes.schema_code, mangoes.reader_role from mangoes_app;
    end if;

    for item in
        select quote_ident(r.rolname) as role
        from pg_roles r
        where r.rolname = 'mangoes_reader'
            or r.rolname in (select role_name from mangoes.reader_role)
    loop
        execute format('grant usage on schema mangoes to %s', item.role);
        execute format('grant select on %s to %s', shown, item.role);
    end loop;

    -- What was made in the app's schema by this transaction.
    for item in
        with made as (
            select 'table' as kind, c.oid::regclass::text as name, c.relname as object,
                c.relacl as acl, c.relowner as owner
            from pg_class c
            where c.relnamespace = quote_ident(app)::regnamespace
                and c.relkind = 'r'
                and c.relname = any (array[
                    'works', 'works_meta', 'rating_sources', 'aggregates', 'similar_movies',
                    'work_cards_cache', 'refresh_queue', 'sync_state', 'scheduled_ingestion_log',
                    'tmdb_api_logs'
                ])
            union all
            select 'sequence', q.oid::regclass::text, t.relname, q.relacl, q.relowner
            from pg_class q
            join pg_depend d on d.objid = q.oid and d.classid = 'pg_class'::regclass
                and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
            join pg_class t on t.oid = d.refobjid
            where q.relkind = 'S' and t.relnamespace = quote_ident(app)::regnamespace
            union all
            select 'function', p.oid::regprocedure::text, p.proname,
                coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
            from pg_proc p
            where p.pronamespace = quote_ident(app)::regnamespace
                and p.proname in ('is_stale', 'get_stale_movies')
        )
        select distinct m.kind, m.name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as role
        from made m, aclexplode(m.acl) a
        where cardinality(before) > 0
            and m.object <> all (before)
            and a.grantee <> m.owner
    loop
        execute format('revoke all on %s %s from %s cascade', item.kind, item.name, item.role);
    end loop;

    -- Tables of the app that belong to whoever migrates: made by us.
    for item in
        select c.oid::regclass::text as name,
            case
                when c.relkind = 'S' then 'usage'
                when c.relname = 'similar_movies' then 'select, insert, update, delete'
                when c.relname = 'tmdb_api_logs' then 'select, insert, delete'
                when c.relname = 'scheduled_ingestion_log' then 'insert'
                else 'select, insert, update'
            end as privileges,
            case c.relkind when 'S' then 'sequence ' else '' end as kind
        from pg_class c
        left join pg_depend d on d.objid = c.oid and d.classid = 'pg_class'::regclass
            and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
        left join pg_class t on t.oid = d.refobjid and c.relkind = 'S'
        where c.relnamespace = quote_ident(app)::regnamespace
            and c.relkind in ('r', 'S')
            and coalesce(t.relname, c.relname) = any (array[
                'works', 'works_meta', 'rating_sources', 'aggregates', 'similar_movies',
                'work_cards_cache', 'refresh_queue', 'sync_state', 'scheduled_ingestion_log',
                'tmdb_api_logs'
            ])
            and pg_has_role(c.relowner, 'usage')
            and to_regrole('mangoes_app') is not null
    loop
        execute format(
            'grant %s on %s%s to mangoes_app', item.privileges, item.kind, item.name
        );
    end loop;

    -- Functions of ours among those of the app.
    for item in
        select p.oid::regprocedure::text as name, quote_ident(r.rolname) as role
        from pg_proc p, pg_roles r
        where p.pronamespace = quote_ident(app)::regnamespace
            and p.proname in ('is_stale', 'get_stale_movies')
            and p.prosrc ~ 'mangoes\.'
            and pg_has_role(p.proowner, 'usage')
            and (
                r.rolname in ('mangoes_app', 'mangoes_reader')
                or r.rolname in (select role_name from mangoes.reader_role)
            )
    loop
        execute format('grant execute on function %s to %s', item.name, item.role);
    end loop;
end $$;

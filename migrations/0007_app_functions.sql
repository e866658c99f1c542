-- What the app calls by name and parameter, in the app's schema. A database that has a function of
-- that name keeps its own.
--
-- They run as their owner, so that the app needs no right on schema mangoes. `is_stale` is called
-- for each row of the app's queries: it looks itself, in a kept plan, and has no search path of its
-- own, which costs as much as the look. So every name in it has its schema.
do $$
declare
    app constant text := current_setting('mangoes.app_schema');
    function record;
begin
    for function in
        select *
        from (values
            (
                'is_stale',
                '(work_id_input bigint) returns boolean language plpgsql',
                '
declare
    stale pg_catalog.timestamptz;
begin
    select case when t.removed_at is null then t.stale_at else ''infinity'' end into stale
    from mangoes.title t
    where t.work_id operator(pg_catalog.=) work_id_input;
    -- One that nobody knows is stale, as the app''s own function says.
    return coalesce(stale operator(pg_catalog.<=) pg_catalog.now(), true);
end '
            ),
            (
                'get_stale_movies',
                '(limit_count integer default 100) returns table (
                    work_id bigint, tmdb_id text, title text, last_refreshed_at timestamptz
                ) language sql set search_path = pg_catalog, pg_temp',
                'select work_id, tmdb_id::text, title, last_refreshed_at
                 from mangoes.due_titles(limit_count)'
            )
        ) as f (name, signature, body)
    loop
        if exists (
            select 1
            from pg_proc
            where proname = function.name and pronamespace = quote_ident(app)::regnamespace
        ) then
            continue;
        end if;
        execute format(
            'create function %I.%I%s stable security definer as %L',
            app, function.name, function.signature, function.body
        );
        execute format(
            'revoke all on function %I.%I from public', app, function.name
        );
    end loop;
end $$;

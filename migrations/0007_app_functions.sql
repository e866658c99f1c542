-- What the app calls by name and parameter, in the app's schema. A database that has a function of
-- that name keeps its own.
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
                '(work_id_input bigint) returns boolean',
                'select mangoes.is_stale(work_id_input)'
            ),
            (
                'get_stale_movies',
                '(limit_count integer default 100) returns table (
                    work_id bigint, tmdb_id text, title text, last_refreshed_at timestamptz
                )',
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
        -- As the owner, so that the app needs no right on schema mangoes.
        execute format(
            'create function %I.%I%s language sql stable security definer
             set search_path = pg_catalog, pg_temp as %L',
            app, function.name, function.signature, function.body
        );
        execute format(
            'revoke all on function %I.%I from public', app, function.name
        );
    end loop;
end $$;

-- What the app does to its works by itself is noticed at once. Applied after the functions, and
-- last of all, because each of these triggers waits for the writers of works for a moment. Our own
-- processes keep title themselves.
do $$
declare
    works constant regclass := format('%I.works', current_setting('mangoes.app_schema'));
    by_others constant text := 'for each statement '
        'when (current_setting(''mangoes.writer'', true) is distinct from ''on'')';
    wanted record;
begin
    for wanted in
        select *
        from (values
            ('mangoes_works_added', 'after insert', 'referencing new table as added',
                'works_added'),
            ('mangoes_works_edited', 'after update',
                'referencing old table as before new table as after', 'works_edited'),
            ('mangoes_works_deleted', 'after delete', 'referencing old table as deleted',
                'works_deleted'),
            ('mangoes_works_truncated', 'after truncate', '', 'works_truncated')
        ) as t (name, moment, rows, function)
    loop
        if not exists (
            select 1 from pg_trigger where tgrelid = works and tgname = wanted.name
        ) then
            execute format(
                'create trigger %I %s on %s %s %s execute function mangoes.%I()',
                wanted.name, wanted.moment, works, wanted.rows, by_others, wanted.function
            );
        end if;
    end loop;
end $$;

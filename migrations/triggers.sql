-- What the app does to its works by itself is noted at once, and worked off within a second
-- (apply_work_edits). Applied after the functions, and last of all, because each of these triggers
-- waits for the writers of works for a moment. Our own processes keep title themselves.
--
-- The conditions are those of whoever writes: an operator of the app's own types runs as the app's
-- role, not as ours.
do $$
declare
    works constant regclass := format('%I.works', current_setting('mangoes.app_schema'));
    by_others constant text := 'current_setting(''mangoes.writer'', true) is distinct from ''on''';
    wanted record;
begin
    for wanted in
        select *
        from (values
            ('works_added', 'after insert', 'referencing new table as added for each statement',
                by_others),
            ('works_edited', 'after update', 'for each row',
                by_others || ' and ('
                    'new.tmdb_id is distinct from old.tmdb_id'
                    ' or new.work_id is distinct from old.work_id'
                    ' or new.release_date is distinct from old.release_date'
                    ' or new.last_refreshed_at is distinct from old.last_refreshed_at'
                    ' or new.ingestion_status is distinct from old.ingestion_status)'),
            ('works_deleted', 'after delete', 'referencing old table as deleted for each statement',
                by_others),
            ('works_truncated', 'after truncate', 'for each statement', by_others)
        ) as t (function, moment, each, condition)
    loop
        if not exists (
            select 1
            from pg_trigger
            where tgrelid = works and tgname = 'mangoes_' || wanted.function
        ) then
            execute format(
                'create trigger %I %s on %s %s when (%s) execute function mangoes.%I()',
                'mangoes_' || wanted.function, wanted.moment, works, wanted.each,
                wanted.condition, wanted.function
            );
        end if;
    end loop;
end $$;

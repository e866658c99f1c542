-- What is applied says this database itself: rows of a dump that say it of another one are left
-- out. Where the tables come out of a dump too, nothing is said here yet, and its rows are taken.
create or replace function kept_from_dump() returns trigger
language plpgsql set search_path from current as $$
declare
    is_said boolean;
begin
    -- Rows of this transaction are the dump's own.
    execute format('select exists (select 1 from %s where xmin <> $1)', tg_relid::regclass)
    into is_said using pg_current_xact_id()::xid;
    if is_said then
        return null;
    end if;
    return new;
end $$;

do $$
declare
    kept record;
begin
    for kept in
        select oid::regclass as name
        from pg_class
        where relnamespace = 'mangoes'::regnamespace
            and relname in ('schema_code', 'schema_migration')
    loop
        execute format(
            'create or replace trigger kept_from_dump before insert on %s for each row '
            'when (current_setting(''mangoes.writer'', true) is distinct from ''on'') '
            'execute function kept_from_dump()',
            kept.name
        );
    end loop;
end $$;

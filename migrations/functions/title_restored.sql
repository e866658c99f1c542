-- A row that comes out of a dump takes the place of the one that the triggers on works made a
-- moment before: whichever table is restored first, what was known of a movie is known again. What
-- those triggers insert themselves is none.
create or replace function title_restored() returns trigger
language plpgsql set search_path from current as $$
begin
    delete from title where work_id = new.work_id;
    return new;
end $$;

create or replace trigger title_restored before insert on title
    for each row when (
        pg_trigger_depth() = 0 and current_setting('mangoes.writer', true) is distinct from 'on'
    )
    execute function title_restored();

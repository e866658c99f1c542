-- Shows the last row of each movie in the app's refresh_queue. Bookkeeping: it never fails the
-- work. Rows that a dump brings are left alone: the same dump has those of refresh_queue.
--
-- The work's own rows are there already, but for new ones: one update is all of it, by a kept plan
-- that reads an index of the app's wherever there is one, however small its table was when the plan
-- was made. Many rows at once are worth a plan of their own.
create or replace function mirror_refresh_items() returns trigger
language plpgsql set search_path from current set lock_timeout = '200ms' set enable_seqscan = off
set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
    many constant integer := 1000;
    number integer;
    movies integer;
    shown integer;
    added integer := 0;
begin
    -- A claim that inserts its rows updates none, and the other way round.
    if not exists (select 1 from changed) then
        return null;
    end if;
    -- What the app checks at the end of a transaction is checked here, where it fails nothing.
    set constraints all immediate;
    select count(*), count(distinct work_id) into number, movies from changed;
    if number = 0 then
        return null;
    elsif number > many then
        perform set_config('plan_cache_mode', 'force_custom_plan', true);
    end if;
    with last as (
        select distinct on (work_id) *
        from changed
        order by work_id, id desc
        limit number
    ),
    shown as (
        update refresh_queue q
        set status = l.status,
            priority = l.priority,
            queued_at = l.queued_at,
            processed_at = l.processed_at,
            retry_count = l.retry_count,
            last_error = l.last_error
        from last l
        where q.work_id = l.work_id
        returning q.work_id
    )
    select count(distinct work_id) into shown from shown;
    if shown < movies then
        with last as (
            select distinct on (work_id) *
            from changed
            order by work_id, id desc
            limit number
        )
        insert into refresh_queue (
            work_id, priority, status, queued_at, processed_at, retry_count, last_error
        )
        select
            l.work_id, l.priority, l.status, l.queued_at, l.processed_at, l.retry_count,
            l.last_error
        from last l
        where not exists (select 1 from refresh_queue q where q.work_id = l.work_id)
        on conflict do nothing;
        get diagnostics added = row_count;
    end if;
    if shown + added < movies then
        perform note_bookkeeping_problem(
            'refresh_queue', 'rows can be read and not written: row security, or a trigger'
        );
    elsif exists (select 1 from bookkeeping_problem where table_name = 'refresh_queue') then
        delete from bookkeeping_problem where table_name = 'refresh_queue';
    end if;
    return null;
exception when others then
    perform note_bookkeeping_problem('refresh_queue', sqlerrm);
    return null;
end $$;

create or replace trigger mirror_new_items after insert on refresh_item
    referencing new table as changed
    for each statement when (current_setting('mangoes.writer', true) = 'on')
    execute function mirror_refresh_items();
create or replace trigger mirror_changed_items after update on refresh_item
    referencing new table as changed
    for each statement when (current_setting('mangoes.writer', true) = 'on')
    execute function mirror_refresh_items();

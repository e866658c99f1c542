-- Shows the last row of each movie in the app's refresh_queue. Bookkeeping: it never fails the
-- work. Rows that a dump brings are left alone: the same dump has those of refresh_queue.
create or replace function mirror_refresh_items() returns trigger
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
begin
    with last as (
        select distinct on (work_id) *
        from changed
        order by work_id, id desc
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
            and (q.status, q.queued_at, q.processed_at, q.retry_count, q.last_error)
                is distinct from
                (l.status, l.queued_at, l.processed_at, l.retry_count, l.last_error)
        returning q.work_id
    )
    insert into refresh_queue (
        work_id, priority, status, queued_at, processed_at, retry_count, last_error
    )
    select
        l.work_id, l.priority, l.status, l.queued_at, l.processed_at, l.retry_count, l.last_error
    from last l
    where not exists (select 1 from refresh_queue q where q.work_id = l.work_id)
    on conflict do nothing;
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

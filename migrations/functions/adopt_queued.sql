-- Takes over what others queued in the app's refresh_queue. Where our own rows could not be shown
-- there, only what was queued later counts: the rest is what we did long ago. Bookkeeping: a queue
-- that is locked or gone stops no sweep.
create or replace function adopt_queued() returns bigint
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
declare
    rows bigint;
begin
    with taken as (
        insert into refresh_item (work_id, tmdb_id, priority, reason, queued_at)
        select
            q.work_id, t.tmdb_id, coalesce(q.priority, 0), 'queued by the app',
            coalesce(q.queued_at, now())
        from refresh_queue q
        left join title t using (work_id)
        where q.status::text in ('queued', 'processing')
            and q.work_id is not null
            and not exists (
                select 1
                from refresh_item i
                where i.work_id = q.work_id
                    and (
                        i.status in ('queued', 'processing')
                        or i.queued_at >= q.queued_at and exists (
                            select 1 from bookkeeping_problem where table_name = 'refresh_queue'
                        )
                    )
            )
        on conflict do nothing
        returning 1
    )
    select count(*) into rows from taken;
    return rows;
exception when others then
    perform note_bookkeeping_problem('refresh_queue', sqlerrm);
    return 0;
end $$;

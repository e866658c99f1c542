-- Shows when stale movies were looked for last, in the app's sync_state.
create or replace function note_scan() returns void
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
begin
    update sync_state
    set last_sync_at = now(), updated_at = now()
    where sync_type = 'daily_refresh_stale';
    if not found then
        insert into sync_state (sync_type, last_sync_at, updated_at)
        values ('daily_refresh_stale', now(), now())
        on conflict do nothing;
    end if;
exception when others then
    perform note_bookkeeping_problem('sync_state', sqlerrm);
end $$;

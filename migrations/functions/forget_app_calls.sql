-- Removes our own old rows from the app's tmdb_api_logs; those of the app stay. Without the column
-- by which ours are known none goes. Returns how many.
create or replace function forget_app_calls(p_before timestamptz, p_limit integer) returns bigint
language plpgsql set search_path from current set lock_timeout = '200ms' as $$
declare
    gone bigint;
begin
    delete from tmdb_api_logs
    where ctid = any (array(
        select ctid
        from tmdb_api_logs
        where created_at < p_before and metadata ->> 'written_by' = 'mangoes'
        limit p_limit
    ));
    get diagnostics gone = row_count;
    return gone;
exception when others then
    perform note_bookkeeping_problem('tmdb_api_logs', sqlerrm);
    return 0;
end $$;
